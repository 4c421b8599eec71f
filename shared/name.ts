// Names: host names with IDNA, names of platforms and clients, paths. Everything from outside passes here.
import { domainToASCII, domainToUnicode } from 'node:url';
import { AegirError } from './error.ts';

const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;

/**
 * A host name as the wire and the disk know it: A-labels (RFC 5890), lower case, no trailing dot,
 * at most 253 characters, not an IP address. Throws invalid_argument.
 */
export function hostName(text: string, what = 'host name'): string {
  const refuse = (why: string): never => {
    throw new AegirError('invalid_argument', `cannot use ${JSON.stringify(text)} as ${what}: ${why}`);
  };
  const trimmed = text.endsWith('.') ? text.slice(0, -1) : text;
  if (trimmed === '' || trimmed.length > 1000) refuse('a name of 1 to 253 characters is needed');
  const [odd] = /[\s/:@?#%\\_*\p{Cc}]/u.exec(trimmed) ?? [];
  if (odd !== undefined) refuse(`it has ${JSON.stringify(odd)}, which no host name has`);
  const ascii = domainToASCII(trimmed);
  if (ascii === '') refuse('it is no valid internationalised domain name (IDNA)');
  if (ascii.length > 253) refuse('it is longer than 253 characters');
  const labels = ascii.split('.');
  if (!labels.every((label) => LABEL.test(label))) {
    refuse('every part between dots needs 1 to 63 letters, digits or hyphens, no hyphen first or last');
  }
  // What is written as an A-label must be one (RFC 5891, 5.4): it must come back from what people would read.
  if (labels.some((label) => label.startsWith('xn--')) && !isIdna(ascii)) {
    refuse('a part that begins with xn-- is no internationalised name');
  }
  if (/^[0-9]+$/.test(labels.at(-1) ?? '')) refuse('its last part is a number, as in an IP address');
  return ascii;
}

function isIdna(ascii: string): boolean {
  const read = domainToUnicode(ascii);
  return !read.split('.').some((label) => label.startsWith('xn--')) && domainToASCII(read) === ascii;
}

/** The name as people read it. Names that are none of hosts, such as web1/mount:nas, are as they are. */
export function displayName(ascii: string): string {
  return ascii.includes('xn--') && !/[/:]/.test(ascii) ? domainToUnicode(ascii) || ascii : ascii;
}

/** A text for people: host names in it as they are read. Those in URLs and paths are for programs, and stay. */
export function displayNames(text: string): string {
  return text.includes('xn--') ? text.replace(A_LABELS, displayName) : text;
}

const A_LABELS = /(?<![\w/:@.-])(?:[a-z0-9-]+\.)*xn--[a-z0-9-]+(?:\.[a-z0-9-]+)*(?![\w/:-])/g;

/** Name of a platform, server or the like: letters, digits, ".", "_" and "-", 1 to 63 characters. */
export function plainName(text: string, what: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text)) return text;
  throw new AegirError(
    'invalid_argument',
    `cannot use ${JSON.stringify(text)} as ${what}: it needs 1 to 63 letters, digits, ".", "_" or "-", a letter or digit first`,
  );
}

/** Free text of a person: 0 to max characters, no control characters. */
export function freeText(text: string, what: string, max: number): string {
  if (text.length <= max && !/\p{Cc}/u.test(text)) return text;
  throw new AegirError(
    'invalid_argument',
    `cannot use that ${what}: it may have up to ${max} characters and no control characters`,
  );
}

/** A mail address as HTML's input type=email accepts it, and none that a program would take for an option. */
export function mailAddress(text: string, what = 'mail address'): string {
  const form =
    /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
  if (text.length <= 254 && !text.startsWith('-') && form.test(text)) return text;
  throw new AegirError('invalid_argument', `cannot use ${JSON.stringify(text)} as ${what}: it is no mail address`);
}

/** An absolute, normalised path without "..", "." or control characters; at most 1000 characters. */
export function absolutePath(text: string, what: string): string {
  const trimmed = text.length > 1 ? text.replace(/\/+$/, '') : text;
  const parts = trimmed.split('/').slice(1);
  const good =
    trimmed.startsWith('/') &&
    trimmed.length <= 1000 &&
    !/\p{Cc}/u.test(trimmed) &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..');
  if (good) return trimmed;
  throw new AegirError(
    'invalid_argument',
    `cannot use ${JSON.stringify(text)} as ${what}: an absolute path without "..", "." or "//" is needed`,
  );
}

/** Special-use names are in no public DNS (RFC 6761, RFC 6762, RFC 8375, RFC 9476), nor are single labels. */
const PRIVATE = ['localhost', 'test', 'invalid', 'example', 'local', 'internal', 'alt', 'onion', 'home.arpa'];

export function isPublicName(name: string): boolean {
  return name.includes('.') && !PRIVATE.some((suffix) => name === suffix || name.endsWith(`.${suffix}`));
}
