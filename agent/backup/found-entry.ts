// An entry as it was found on the disk: what the archive says of it, and what tells whether it is still the same. As text
// it is the line of a snapshot; the lines of a segment together are the key by which its chunks are known again. Pure.
import type { ByteName, Entry, EntryKind, Owner } from './entry.ts';

export interface FoundEntry {
  readonly entry: Entry;
  /** Of a file: number of its inode and time of its last change, ns. They change with whatever is done to it. */
  readonly ino: bigint;
  readonly ctimeNs: bigint;
}

const FIELDS = 9;

export function encodeFound(found: readonly FoundEntry[]): Buffer {
  let text = '';
  for (const { entry, ino, ctimeNs } of found) {
    const { kind, mode, size, mtimeNs, owner, path, target } = entry;
    text += lineOf(kind, mode, size, mtimeNs, ino, ctimeNs, ownerText(owner), path, target);
  }
  return Buffer.from(text, 'latin1');
}

export function ownerText({ user, group }: Owner): string {
  return `${user}/${group}`;
}

/** Numbers as themselves or in their digits. */
export function lineOf(
  kind: EntryKind,
  mode: number,
  size: number,
  mtimeNs: bigint | string,
  ino: bigint | number,
  ctimeNs: bigint | string,
  owner: string,
  path: ByteName,
  target: ByteName,
): string {
  const identity = kind === 'file' ? `${ino}\0${ctimeNs}` : '\0';
  return `${kind}\0${mode}\0${size}\0${mtimeNs}\0${identity}\0${owner}\0${path}\0${target}\0`;
}

export function decodeFound(bytes: Buffer): FoundEntry[] {
  const fields = bytes.toString('latin1').split('\0');
  const found: FoundEntry[] = [];
  const field = (at: number): string => fields[at] ?? '';
  for (let at = 0; at + FIELDS < fields.length + 1 && fields[at] !== ''; at += FIELDS) {
    const [user, group] = field(at + 6).split('/');
    found.push({
      entry: {
        kind: field(at) as EntryKind,
        mode: Number(field(at + 1)),
        size: Number(field(at + 2)),
        mtimeNs: BigInt(field(at + 3)),
        owner: { user: named(user), group: named(group) } as Owner,
        path: field(at + 7),
        target: field(at + 8),
      },
      ino: BigInt(field(at + 4)),
      ctimeNs: BigInt(field(at + 5)),
    });
  }
  return found;
}

function named(text = ''): string | number {
  return /^[0-9]+$/.test(text) ? Number(text) : text;
}
