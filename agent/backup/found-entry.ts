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
    const identity = kind === 'file' ? `${ino}\0${ctimeNs}` : '\0';
    text += `${kind}\0${mode}\0${size}\0${mtimeNs}\0${identity}\0${owner.user}/${owner.group}\0${path}\0${target}\0`;
  }
  return Buffer.from(text, 'latin1');
}

export function decodeFound(bytes: Buffer): FoundEntry[] {
  const fields = bytes.toString('latin1').split('\0');
  const found: FoundEntry[] = [];
  for (let at = 0; at + FIELDS < fields.length + 1 && fields[at] !== ''; at += FIELDS) {
    const [kind, mode, size, mtime, ino, ctime, owner, path, target] = fields.slice(at, at + FIELDS) as string[];
    const [user, group] = (owner ?? '').split('/');
    found.push({
      entry: {
        kind: kind as EntryKind,
        mode: Number(mode),
        size: Number(size),
        mtimeNs: BigInt(mtime ?? ''),
        owner: { user: named(user), group: named(group) } as Owner,
        path: path as ByteName,
        target: target as ByteName,
      },
      ino: BigInt(ino ?? ''),
      ctimeNs: BigInt(ctime ?? ''),
    });
  }
  return found;
}

function named(text = ''): string | number {
  return /^[0-9]+$/.test(text) ? Number(text) : text;
}
