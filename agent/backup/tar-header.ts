// The header of an entry as pax says it (POSIX.1-2001): the same entry gives the same bytes on every host, and what the
// old header cannot say stands in an extended one. Pure.
import type { Entry, Owner } from './entry.ts';

export const BLOCK = 512;
/** Two blocks of zeros. */
export const END_BYTES = 2 * BLOCK;

const MAX_NAME = 100;
const MAX_OCTAL_7 = 0o7777777;
const MAX_OCTAL_11 = 0o77777777777;
/** What tar without our words makes of the site's user and group: nobody. */
const NOBODY = 65_534;
const NS = 1_000_000_000n;
const MAGIC = 'ustar\0' + '00';
/** Up to the prefix of a name, which we never use. */
const FIELDS_BYTES = 345;
/** Up to here numbers are reckoned with as bits. */
const MAX_BITS = 0x7fffffff;

/** Bytes up to the next block. */
export const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

/** One header, with an extended one before it where it is needed; a multiple of 512 bytes. */
export function encodeHeader(entry: Entry): Buffer {
  const name = entry.kind === 'directory' ? `${entry.path}/` : entry.path;
  const { uid, user, gid, group } = numbered(entry.owner);
  const seconds = entry.mtimeNs >= 0n ? Number(entry.mtimeNs / NS) : -1;
  const records: string[] = [];
  const longName = name.length > MAX_NAME || !isAscii(name);
  const longTarget = entry.target.length > MAX_NAME || !isAscii(entry.target);
  if ((longName && !isUtf8(name)) || (longTarget && !isUtf8(entry.target)))
    records.push(record('hdrcharset', 'BINARY'));
  if (longName) records.push(record('path', name));
  if (longTarget) records.push(record('linkpath', entry.target));
  if (entry.size > MAX_OCTAL_11) records.push(record('size', String(entry.size)));
  if (uid > MAX_OCTAL_7) records.push(record('uid', String(uid)));
  if (gid > MAX_OCTAL_7) records.push(record('gid', String(gid)));
  const exact = entry.mtimeNs % NS === 0n && seconds >= 0 && seconds <= MAX_OCTAL_11;
  if (!exact) records.push(record('mtime', decimalSeconds(entry.mtimeNs)));
  const type = entry.kind === 'file' ? '0' : entry.kind === 'directory' ? '5' : '2';
  const header = {
    ...{ name, type, mode: entry.mode, uid, gid, size: entry.size, user, group, target: entry.target },
    seconds: seconds >= 0 && seconds <= MAX_OCTAL_11 ? seconds : 0,
  };
  if (records.length === 0) return block(Buffer.alloc(BLOCK), 0, header);
  const text = records.join('');
  const bytes = Buffer.alloc(BLOCK + text.length + padding(text.length) + BLOCK);
  extendedOf(text.length).copy(bytes, 0);
  bytes.write(text, BLOCK, 'latin1');
  return block(bytes, bytes.length - BLOCK, header);
}

interface Fields {
  readonly name: string;
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly seconds: number;
  readonly user: string;
  readonly group: string;
  readonly target: string;
}

const EXTENDED: Omit<Fields, 'size'> = {
  ...{ name: 'PaxHeaders/entry', type: 'x', mode: 0o644, uid: 0, gid: 0, seconds: 0, user: '', group: '', target: '' },
};

/** Of nearly all entries one of a few lengths. */
const extended: (Buffer | undefined)[] = [];
function extendedOf(size: number): Buffer {
  const known = extended[size];
  if (known !== undefined) return known;
  const made = block(Buffer.alloc(BLOCK), 0, { ...EXTENDED, size });
  if (size < BLOCK) extended[size] = made;
  return made;
}

function block(bytes: Buffer, at: number, fields: Fields): Buffer {
  bytes.write(fields.name.slice(0, MAX_NAME), at, 'latin1');
  octal(bytes, at + 100, 7, fields.mode);
  octal(bytes, at + 108, 7, fields.uid > MAX_OCTAL_7 ? 0 : fields.uid);
  octal(bytes, at + 116, 7, fields.gid > MAX_OCTAL_7 ? 0 : fields.gid);
  octal(bytes, at + 124, 11, fields.size > MAX_OCTAL_11 ? 0 : fields.size);
  octal(bytes, at + 136, 11, fields.seconds);
  bytes.fill(0x20, at + 148, at + 156);
  bytes.write(fields.type, at + 156, 'latin1');
  bytes.write(fields.target.slice(0, MAX_NAME), at + 157, 'latin1');
  bytes.write(MAGIC, at + 257, 'latin1');
  bytes.write(fields.user, at + 265, 'latin1');
  bytes.write(fields.group, at + 297, 'latin1');
  octal(bytes, at + 329, 7, 0);
  octal(bytes, at + 337, 7, 0);
  // Of a fresh block: behind this there are zeros.
  let sum = 0;
  for (let i = at; i < at + FIELDS_BYTES; i++) sum += bytes[i] as number;
  octal(bytes, at + 148, 6, sum);
  bytes[at + 154] = 0;
  return bytes;
}

function octal(bytes: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  let i = at + digits - 1;
  for (; i >= at && rest > MAX_BITS; i--) {
    bytes[i] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
  for (; i >= at; i--) {
    bytes[i] = 0x30 | (rest & 7);
    rest >>>= 3;
  }
}

/** "LENGTH KEY=VALUE\n", where the length counts itself. */
function record(key: string, value: string): string {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** Without needless zeros: 1.5, -0.25, 3. */
export function decimalSeconds(ns: bigint): string {
  const size = ns < 0n ? -ns : ns;
  const fraction = (size % NS).toString().padStart(9, '0').replace(/0+$/, '');
  return `${ns < 0n ? '-' : ''}${size / NS}${fraction === '' ? '' : `.${fraction}`}`;
}

function numbered({ user, group }: Owner) {
  const known = (name: string | number) => (typeof name === 'number' ? name : name === 'root' ? 0 : NOBODY);
  const named = (name: string | number) => (typeof name === 'number' ? '' : name);
  return { uid: known(user), gid: known(group), user: named(user), group: named(group) };
}

function isAscii(name: string): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 0x7f) return false;
  return true;
}

function isUtf8(name: string): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(name, 'latin1'));
    return true;
  } catch {
    return false;
  }
}
