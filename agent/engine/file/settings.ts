// What people declared for a file service, read with errors that name the key. Values of secrets are never quoted. Pure.
import { isIP } from 'node:net';
import { AegirError } from '../../../shared/error.ts';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import { absolutePath, hostName } from '../../../shared/name.ts';
import { nameOnServer } from '../../../shared/service-name.ts';

export interface Known {
  readonly settings: readonly string[];
  readonly secrets: readonly string[];
}

/** Of every file engine: backups on it are encrypted, by a key of the master's making. */
const COMMON: Known = { settings: ['encrypt'], secrets: ['encryption-key'] };

/** Refuses keys that the engine does not know: a key with a typing error must not go unseen. */
export function checkKeys(service: ServiceRef, known: Known): void {
  for (const kind of ['settings', 'secrets'] as const) {
    const all = [...known[kind], ...COMMON[kind]];
    const strange = Object.keys(service[kind]).find((key) => !all.includes(key));
    if (strange === undefined) continue;
    const which = all.join(', ');
    throw wrong(service, `${kind} ${JSON.stringify(strange)}`, `the engine does not know it (it knows: ${which})`);
  }
  encryptionKeyOf(service);
}

/** 32 bytes; undefined when backups on the service are not encrypted. Throws when they are and the key is none. */
export function encryptionKeyOf(service: ServiceRef): Uint8Array | undefined {
  if (!yesOrNo(service, 'encrypt')) return undefined;
  const text = needed(service, 'secrets', 'encryption-key');
  if (/^[0-9a-f]{64}$/.test(text)) return Buffer.from(text, 'hex');
  throw wrong(service, 'secrets "encryption-key"', '64 hexadecimal digits are needed');
}

export function wrong(service: ServiceRef, what: string, why: string): AegirError {
  return new AegirError(
    'invalid_argument',
    `cannot use service ${nameOnServer(service)}: ${what}: ${why}; correct that`,
    { untouched: true },
  );
}

export function optional(service: ServiceRef, kind: 'settings' | 'secrets', key: string): string | undefined {
  const value = service[kind][key]?.trim();
  return value === '' ? undefined : value;
}

export function needed(service: ServiceRef, kind: 'settings' | 'secrets', key: string): string {
  const value = optional(service, kind, key);
  if (value !== undefined) return value;
  throw wrong(service, `${kind} "${key}"`, 'it is missing');
}

export function hostOf(service: ServiceRef, key = 'host'): string {
  const text = needed(service, 'settings', key);
  if (isIP(text) !== 0) return text;
  try {
    return hostName(text);
  } catch {
    throw wrong(service, `settings "${key}"`, `${JSON.stringify(text)} is neither an IP address nor a host name`);
  }
}

export function portOf(service: ServiceRef, fallback: number): number {
  const text = optional(service, 'settings', 'port');
  const port = text === undefined ? fallback : /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw wrong(service, 'settings "port"', `${JSON.stringify(text)} is no port`);
}

export function userOf(service: ServiceRef): string {
  const text = needed(service, 'settings', 'user');
  if (/^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,99}$/.test(text)) return text;
  throw wrong(service, 'settings "user"', `${JSON.stringify(text)} is no name of a user`);
}

/** One line, given to programs on their input or in a file. */
export function passwordOf(service: ServiceRef): string | undefined {
  const text = service.secrets['password']?.replace(/\r?\n$/, '');
  if (text === undefined || text === '') return undefined;
  if (text.length <= 1000 && !/\p{Cc}/u.test(text)) return text;
  throw wrong(service, 'secrets "password"', 'one line of up to 1000 characters is needed');
}

/** A directory on this server. */
export function directoryOf(service: ServiceRef, key: string, fallback?: string): string {
  const text = optional(service, 'settings', key) ?? fallback ?? needed(service, 'settings', key);
  try {
    const path = absolutePath(text, key);
    if (path !== '/') return path;
  } catch {
    throw wrong(service, `settings "${key}"`, `${JSON.stringify(text)} is no absolute path without "..", "." or "//"`);
  }
  throw wrong(service, `settings "${key}"`, 'the root of all cannot be it; name a directory below');
}

/** A directory on another machine, absolute or below the user's home; of characters that nothing there can misread. */
export function remoteDirectoryOf(service: ServiceRef): string {
  const text = needed(service, 'settings', 'path').replace(/(?<=.)\/+$/, '');
  const parts = (text.startsWith('/') ? text.slice(1) : text).split('/');
  const good = parts.every((part) => /^[\p{L}\p{N}_][\p{L}\p{N} ._@+=,-]*$/u.test(part) && !part.endsWith(' '));
  if (good && text.length <= 500) return text;
  throw wrong(
    service,
    'settings "path"',
    `${JSON.stringify(text)} is no path of letters, digits, spaces and "._@+=,-", without "." or ".." as a part`,
  );
}

export function yesOrNo(service: ServiceRef, key: string): boolean {
  const text = optional(service, 'settings', key) ?? 'no';
  if (text === 'yes' || text === 'true') return true;
  if (text === 'no' || text === 'false') return false;
  throw wrong(service, `settings "${key}"`, `${JSON.stringify(text)} is neither yes nor no`);
}

/** 500M, 20G, 1T, or plain bytes; 0 when it is not set. */
export function sizeOf(service: ServiceRef, key: string): number {
  const text = optional(service, 'settings', key);
  if (text === undefined) return 0;
  const [, digits = '', unit = ''] = /^([0-9]{1,15})([KMGT]?)i?B?$/i.exec(text) ?? [];
  const size = Number(digits) * 1024 ** ' KMGT'.indexOf(unit.toUpperCase() || ' ');
  if (digits !== '' && size > 0 && Number.isSafeInteger(size)) return size;
  throw wrong(service, `settings "${key}"`, `${JSON.stringify(text)} is no size such as 500M, 20G or 1T`);
}
