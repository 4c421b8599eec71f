// Reads a site's tree without ever following a link: everything is reached through descriptors of directories, which what
// the site does meanwhile cannot lead elsewhere. Calls wait for the disk: for workers alone.
import type { BigIntStats } from 'node:fs';
import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { type ByteName, type Owner, TEMPORARY } from './entry.ts';
import type { FoundEntry } from './found-entry.ts';
import type { FileFacts, Time } from './libc.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Numbers on this host of those whom an archive calls by name. */
export interface Owners {
  readonly siteUid: number;
  readonly siteGid: number;
  readonly webGid: number;
}

/** The tree's own directory; links on the way to it are the host's own business. */
export function openTree(path: string): number {
  return openSync(path, DIRECTORY);
}

/** Path of what lies in an open directory, for calls of this process. */
export function inside(directory: number, name: ByteName): string | Buffer {
  const path = `/proc/self/fd/${directory}/${name}`;
  return isAscii(name) ? path : Buffer.from(path, 'latin1');
}

export function openDirectoryIn(directory: number, name: ByteName): number {
  return openSync(inside(directory, name), DIRECTORY);
}

/** In the order of an archive, without what a restore has in the making: leftover is called when there is such. */
export function namesIn(directory: number, leftover: () => void): ByteName[] {
  const all = readdirSync(`/proc/self/fd/${directory}`, { encoding: 'latin1' as BufferEncoding });
  const names = all.filter((name) => !name.startsWith(TEMPORARY));
  if (names.length < all.length) leftover();
  return names.sort((a, b) => (a < b ? -1 : 1));
}

export function statIn(directory: number, name: ByteName): BigIntStats | undefined {
  return lstatSync(inside(directory, name), { bigint: true, throwIfNoEntry: false });
}

export function linkIn(directory: number, name: ByteName): ByteName {
  return readlinkSync(inside(directory, name), { encoding: 'latin1' });
}

/** Of what is no file, directory or link there is no entry. */
export function foundEntry(path: ByteName, facts: FileFacts, owners: Owners, target: ByteName): FoundEntry {
  const { mode, size, uid, gid } = facts;
  const kind = facts.kind === 'other' ? 'link' : facts.kind;
  return {
    entry: {
      path,
      kind,
      // Of a link it says nothing.
      mode: kind === 'link' ? 0o777 : mode,
      size: kind === 'file' ? size : 0,
      mtimeNs: toNs(facts.mtime),
      owner: ownerOf(uid, gid, owners),
      target,
    },
    ino: BigInt(facts.ino),
    ctimeNs: toNs(facts.ctime),
  };
}

export function factsOf(stats: BigIntStats): FileFacts {
  const { mode, uid, gid, size, ino, mtimeNs, ctimeNs } = stats;
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : stats.isSymbolicLink() ? 'link' : 'other';
  return {
    ...{ kind, mode: Number(mode) & 0o7777, uid: Number(uid), gid: Number(gid), size: Number(size) },
    ...{ ino, mtime: timeOf(mtimeNs), ctime: timeOf(ctimeNs) },
  };
}

/** As libc.look, where that does not say. */
export function factsIn(directory: number, name: ByteName): FileFacts | undefined {
  const stats = statIn(directory, name);
  return stats && factsOf(stats);
}

const NS = 1_000_000_000n;

function timeOf(sinceNs: bigint): Time {
  const ns = ((sinceNs % NS) + NS) % NS;
  return { seconds: Number((sinceNs - ns) / NS), ns: Number(ns) };
}

function toNs({ seconds, ns }: Time): bigint {
  return BigInt(seconds) * NS + BigInt(ns);
}

export function isNamed({ user, group }: Owner): boolean {
  return typeof user !== 'number' && typeof group !== 'number';
}

export function ownerOf(uid: number, gid: number, { siteUid, siteGid, webGid }: Owners): Owner {
  return {
    user: uid === siteUid ? 'site' : uid === 0 ? 'root' : uid,
    group: gid === siteGid ? 'site' : gid === webGid ? 'web' : gid === 0 ? 'root' : gid,
  };
}

/** Nothing was done to the file since it was found. */
export function isSame({ entry, ino, ctimeNs }: FoundEntry, facts: BigIntStats): boolean {
  return (
    facts.ino === ino &&
    facts.ctimeNs === ctimeNs &&
    facts.mtimeNs === entry.mtimeNs &&
    Number(facts.size) === entry.size &&
    facts.isFile()
  );
}

export interface Opener {
  /** The file at a path below the root; undefined when there is none (any more). The caller closes it. */
  file(path: ByteName): number | undefined;
  close(): void;
}

/** Opens files by their paths, which begin with the name of the tree. Neighbours find their directories open. */
export function createOpener(root: number): Opener {
  const held: { readonly name: ByteName; readonly fd: number }[] = [];
  const letGo = (depth: number) => {
    for (const { fd } of held.splice(depth)) closeSync(fd);
  };
  return {
    file(path) {
      const [, ...parts] = path.split('/');
      const leaf = parts.pop() ?? '';
      let same = 0;
      while (same < parts.length && held[same]?.name === parts[same]) same += 1;
      letGo(same);
      for (const part of parts.slice(same)) {
        const fd = unlessGone(() => openDirectoryIn(held.at(-1)?.fd ?? root, part));
        if (fd === undefined) return undefined;
        held.push({ name: part, fd });
      }
      return unlessGone(() => openSync(inside(held.at(-1)?.fd ?? root, leaf), FILE));
    },
    close: () => letGo(0),
  };
}

/** undefined when it is not there, or something else is: a link, or no directory. */
export function unlessGone<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENXIO') return undefined;
    throw thrown;
  }
}

function isAscii(name: string): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 0x7f) return false;
  return true;
}
