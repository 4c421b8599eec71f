// What an archive of a site is made of: entries, in one order, below the names of the site's trees.

/** A name as its bytes, one character each (latin1): it compares, is a key, and is cut as bytes are. */
export type ByteName = string;

export type EntryKind = 'file' | 'directory' | 'link';

/**
 * Who has an entry, in words that hold on any host: "site" is the site's own user and group, "web" the web server's group,
 * "root" root. Numbers are of others alone, and mean nothing elsewhere.
 */
export interface Owner {
  readonly user: 'site' | 'root' | number;
  readonly group: 'site' | 'web' | 'root' | number;
}

export interface Entry {
  /** As "files/a/b", without a slash at either end. */
  readonly path: ByteName;
  readonly kind: EntryKind;
  /** Permission bits with set-id and sticky ones. */
  readonly mode: number;
  /** Bytes of a file; 0 otherwise. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  readonly owner: Owner;
  /** Where a link leads, as it says; empty otherwise. */
  readonly target: ByteName;
}

/** Trees of a site that a backup has, in the order of the archive. */
export const TREES = ['files', 'private', 'sessions'] as const;
export type Tree = (typeof TREES)[number];

/** Deeper ones are neither kept nor put back: each level holds a descriptor. */
export const MAX_DEPTH = 200;

/** Names that are never kept: what a restore writes before it is in its place. */
export const TEMPORARY = '.aegir-tmp-';

/**
 * Order of an archive: a directory before what is in it, names by their bytes. Below 0 when a comes first. A slash counts
 * less than any other byte, so that "a/b" comes before "a-b".
 */
export function comparePaths(a: ByteName, b: ByteName): number {
  const most = Math.min(a.length, b.length);
  for (let i = 0; i < most; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    if (x === SLASH) return -1;
    return y === SLASH ? 1 : x - y;
  }
  return a.length - b.length;
}
const SLASH = 47;

export function parentOf(path: ByteName): ByteName {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** For people: what is no printable text is shown as �. */
export function readable(name: ByteName): string {
  return Buffer.from(name, 'latin1')
    .toString('utf8')
    .replace(/\p{Cc}/gu, '\ufffd')
    .slice(0, 300);
}
