// Who may see a site by name and password: the forms that the command line, the master and agents agree on.

export const DEFAULT_REALM = 'Restricted';
export const MOST_AUTH_USERS = 50;

/** No colon (RFC 7617), and nothing that a file or a line of a log could misread. */
export function isAuthUser(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$/.test(name);
}

/** It stands in quotes in configurations. */
export function isRealm(text: string): boolean {
  return /^[A-Za-z0-9](?:[A-Za-z0-9 .,:()_'!@+-]{0,98}[A-Za-z0-9.()'!])?$/.test(text);
}

/** crypt(3) with SHA-512 and its usual rounds: what nginx and Apache ask of libcrypt with every request. */
export function isPasswordHash(hash: string): boolean {
  return /^\$6\$[./A-Za-z0-9]{8,16}\$[./A-Za-z0-9]{86}$/.test(hash);
}

/** Why it will not do; undefined when it will. Does not repeat it. */
export function passwordFault(password: string): string | undefined {
  if (password.length < 8) return 'it needs 8 characters at least';
  if (password.length > 128 || Buffer.byteLength(password) > 240) return 'it may have 128 characters';
  if (/\p{Cc}/u.test(password)) return 'it has a control character';
  return undefined;
}
