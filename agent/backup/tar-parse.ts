// Reads the header of an entry back, and takes none that this house would not have written: whoever made it, there is one
// meaning of it alone. Pure.
import { AegirError } from '../../shared/error.ts';
import type { Entry, Owner } from './entry.ts';
import { BLOCK, encodeHeader, padding } from './tar-header.ts';

/** Longest extended header: two names as long as Linux allows, and then some. */
const MAX_EXTENDED = 64 * 1024;
const NS = 1_000_000_000n;

type Read = (offset: number, length: number) => Buffer;

export interface ParsedHeader {
  /** undefined: the end of the archive begins here. */
  readonly entry: Entry | undefined;
  /** Bytes of the header. */
  readonly length: number;
}

/**
 * read answers exactly length bytes from the header's beginning on, and throws where there are none. known: it was parsed
 * before, and is not compared with what this house writes once more.
 */
export function parseHeader(read: Read, known = false): ParsedHeader {
  const first = read(0, BLOCK);
  if (first[0] === 0 && first.every((byte) => byte === 0)) return { entry: undefined, length: 0 };
  if (type(first) !== 'x') return checked(fieldsOf(first, NONE), BLOCK, read, known);
  const size = octal(first, 124, 12);
  if (size === 0 || size > MAX_EXTENDED) throw refused('an extended header has an impossible size');
  const room = size + padding(size);
  const text = read(BLOCK, room);
  const header = read(BLOCK + room, BLOCK);
  const entry = fieldsOf(header, records(text.toString('latin1', 0, size)));
  return checked(entry, BLOCK + room + BLOCK, read, known);
}

export function refused(why: string): AegirError {
  return new AegirError('permission_denied', `cannot use the archive: ${why}; nothing of the site was changed`, {
    untouched: true,
  });
}

const NONE: ReadonlyMap<string, string> = new Map();

function checked(entry: Entry, length: number, read: Read, known: boolean): ParsedHeader {
  if (!known && !encodeHeader(entry).equals(read(0, length))) {
    throw refused('a header in it is not one that Aegir writes');
  }
  return { entry, length };
}

const KINDS: Readonly<Record<string, string>> = {
  ...{ '1': 'a hard link', '3': 'a device', '4': 'a device', '6': 'a named pipe', g: 'a header for all entries' },
  ...{
    L: "a header of GNU tar's",
    K: "a header of GNU tar's",
    S: "a sparse file of GNU tar's",
    x: 'two headers in a row',
  },
};

const ENTRY_KINDS: Readonly<Record<string, Entry['kind']>> = { '0': 'file', '5': 'directory', '2': 'link' };
const USERS = ['site', 'root'];
const GROUPS = ['site', 'web', 'root'];

function fieldsOf(header: Buffer, extended: ReadonlyMap<string, string>): Entry {
  const kind = ENTRY_KINDS[type(header)];
  if (kind === undefined) throw refused(`it has ${KINDS[type(header)] ?? 'an entry of an unknown kind'}`);
  const name = extended.get('path') ?? text(header, 0, 100);
  return {
    path: kind === 'directory' ? name.replace(/\/$/, '') : name,
    kind,
    mode: octal(header, 100, 8),
    size: whole(extended.get('size')) ?? octal(header, 124, 12),
    mtimeNs: nanoseconds(extended.get('mtime')) ?? BigInt(octal(header, 136, 12)) * NS,
    owner: {
      user: ownerOf(text(header, 265, 32), USERS, whole(extended.get('uid')) ?? octal(header, 108, 8)),
      group: ownerOf(text(header, 297, 32), GROUPS, whole(extended.get('gid')) ?? octal(header, 116, 8)),
    } as Owner,
    target: extended.get('linkpath') ?? text(header, 157, 100),
  };
}

function ownerOf(name: string, known: readonly string[], id: number): string | number {
  return known.includes(name) ? name : id;
}

function type(header: Buffer): string {
  return String.fromCharCode(header[156] ?? 0);
}

function text(header: Buffer, at: number, length: number): string {
  const end = header.indexOf(0, at);
  return header.toString('latin1', at, end < 0 ? at + length : Math.min(end, at + length));
}

function octal(header: Buffer, at: number, length: number): number {
  let value = 0;
  let i = at;
  for (; i < at + length && header[i] !== 0; i++) {
    const digit = (header[i] as number) - 0x30;
    if (digit < 0 || digit > 7) throw refused('a number in a header is none');
    value = value * 8 + digit;
  }
  if (i === at) throw refused('a number in a header is none');
  return value;
}

function whole(digits: string | undefined): number | undefined {
  if (digits === undefined) return undefined;
  const value = Number(digits);
  if (!/^[0-9]{1,16}$/.test(digits) || !Number.isSafeInteger(value)) throw refused('a number in a header is none');
  return value;
}

function nanoseconds(time: string | undefined): bigint | undefined {
  if (time === undefined) return undefined;
  const [, sign = '', seconds = '', fraction = ''] = /^(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?$/.exec(time) ?? [];
  if (seconds === '') throw refused('a time in a header is none');
  const size = BigInt(seconds) * NS + BigInt(fraction.padEnd(9, '0'));
  return sign === '' ? size : -size;
}

function records(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (let at = 0; at < text.length; ) {
    const [, digits = '', key = ''] = /^([0-9]{1,6}) ([a-z]{1,20})=/.exec(text.slice(at, at + 40)) ?? [];
    const length = Number(digits);
    const value = text.slice(at + digits.length + key.length + 2, at + length - 1);
    if (digits === '' || at + length > text.length || text[at + length - 1] !== '\n' || found.has(key))
      throw refused('an extended header is damaged');
    found.set(key, value);
    at += length;
  }
  return found;
}
