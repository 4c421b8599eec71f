// Identifiers: PREFIX-TTTTTTTTTRRRRRRR, sortable by time, safe as file, user and DNS label names.
import { AegirError } from './error.ts';

export const ID_PREFIXES = [
  'srv',
  'svc',
  'plat',
  'site',
  'cli',
  'task',
  'tok',
  'sec',
  'zone',
  'rec',
  'head',
  'bak',
  'batch',
] as const;
export type IdPrefix = (typeof ID_PREFIXES)[number];

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'; // Crockford base 32, lower case
const TIME_CHARS = 9; // 45 bits of milliseconds: until the year 3084
const RANDOM_CHARS = 7; // 35 bits per millisecond

/** Milliseconds since 1970 and 7 or more random bytes make an id of 16 characters after the prefix. */
export function makeId(prefix: IdPrefix, nowMs: number, random: Uint8Array): string {
  if (random.length < RANDOM_CHARS) throw new AegirError('internal', 'cannot make an id: too few random bytes');
  let time = '';
  let rest = nowMs;
  for (let i = 0; i < TIME_CHARS; i++) {
    time = ALPHABET[rest % 32] + time;
    rest = Math.floor(rest / 32);
  }
  let tail = '';
  for (let i = 0; i < RANDOM_CHARS; i++) tail += ALPHABET[(random[i] ?? 0) % 32];
  return `${prefix}-${time}${tail}`;
}

const BODY = /^[0-9a-hjkmnp-tv-z]{16}$/;

export function isId(prefix: IdPrefix, text: string): boolean {
  return text.startsWith(`${prefix}-`) && BODY.test(text.slice(prefix.length + 1));
}

/** The 16 characters after the prefix: names databases, users and directories. */
export function idBody(id: string): string {
  return id.slice(id.indexOf('-') + 1);
}
