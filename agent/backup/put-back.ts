// Makes a site's trees what a part holds: what is as it shall be stays untouched, other files are written beside and
// renamed into their place, what is not in the part goes. Everything is reached through descriptors of directories and no
// link is followed, whatever the site does meanwhile. May be repeated after a crash anywhere. For workers alone.
import { randomBytes } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import { type ByteName, type Entry, type Owner, parentOf, readable, TEMPORARY } from './entry.ts';
import { encodeFound, type FoundEntry } from './found-entry.ts';
import { fullDisk } from './full-disk.ts';
import { createGrouping, pathHash } from './grouping.ts';
import type { Libc } from './libc.ts';
import type { PartBytes } from './part-bytes.ts';
import { type PartEntry, partEntries } from './part-entries.ts';
import { hasContent, writeContent } from './put-content.ts';
import { openSegmentCache, type Ref, type SegmentCache, segmentKey } from './segment-cache.ts';
import type { Saying, TreeRoot } from './take-files.ts';
import { inside, isSame, linkIn, type Owners, openDirectoryIn, openTree, statIn } from './tree.ts';

export interface PutBackOrder {
  readonly trees: readonly TreeRoot[];
  readonly owners: Owners;
  readonly cacheDir: string;
}

export interface PutBack {
  readonly written: number;
  readonly writtenBytes: number;
}

interface Level {
  readonly path: ByteName;
  readonly fd: number;
  readonly entry: Entry;
  /** Names that are there, sorted, and how many of them were looked at. */
  readonly names: readonly ByteName[];
  next: number;
}

const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** A link itself, not what it leads to: O_PATH, which Node does not name (asm-generic/fcntl.h). */
const ITSELF = 0o10000000 | constants.O_NOFOLLOW;
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const MAX_REMOVE_DEPTH = 2000;

export function putBack(part: PartBytes, order: PutBackOrder, libc: Libc, saying: Saying): PutBack {
  /** Only root may give files away; elsewhere all are the run user's anyway. */
  const mayGive = process.geteuid?.() === 0;
  let [written, writtenBytes, strangers, passed] = [0, 0, 0, 0];
  const levels: Level[] = [];
  const memory = createMemory(part, order);
  /** Of the file at work: one alone may take hours. */
  const within: Saying = { ...saying, progress: (bytes) => saying.progress(passed + bytes) };

  /**
   * What root has in a site's trees the site gets: a web server that follows links to their owner's files alone would follow
   * one of root's to what is root's.
   */
  const numbersOf = ({ user, group }: Owner): { readonly uid: number; readonly gid: number } => {
    const { siteUid, siteGid, webGid } = order.owners;
    if (typeof user === 'number' || typeof group === 'number') strangers += 1;
    return { uid: siteUid, gid: group === 'web' ? webGid : siteGid };
  };
  const dress = (fd: number, entry: Entry, facts: BigIntStats) => {
    const { uid, gid } = numbersOf(entry.owner);
    const mode = modeOf(entry);
    const given = mayGive && (Number(facts.uid) !== uid || Number(facts.gid) !== gid);
    if (given) fchownSync(fd, uid, gid);
    // Giving a file away takes its set-id bits.
    if (given || (Number(facts.mode) & 0o7777) !== mode) fchmodSync(fd, mode);
  };

  const enter = (path: ByteName, fd: number, entry: Entry) => {
    const names: ByteName[] = [];
    for (const name of readdirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' as BufferEncoding })) {
      if (name.startsWith(TEMPORARY)) remove(fd, name, 0);
      else names.push(name);
    }
    levels.push({ path, fd, entry, names: names.sort((a, b) => (a < b ? -1 : 1)), next: 0 });
  };
  const leave = () => {
    const level = levels.pop();
    if (level === undefined) return;
    const { fd, entry, names } = level;
    try {
      for (; level.next < names.length; level.next++) remove(fd, names[level.next] as ByteName, 0);
      dress(fd, entry, fstatSync(fd, { bigint: true }));
      if (fstatSync(fd, { bigint: true }).mtimeNs !== entry.mtimeNs) libc.setTime(fd, '.', entry.mtimeNs);
    } finally {
      closeSync(fd);
    }
  };
  /** What lies before the name in its directory and is not in the part goes. Answers what has the name. */
  const passTo = (level: Level, name: ByteName): BigIntStats | undefined => {
    const { names, fd } = level;
    for (; level.next < names.length && (names[level.next] as ByteName) < name; level.next++) {
      remove(fd, names[level.next] as ByteName, 0);
    }
    if (names[level.next] !== name) return undefined;
    level.next += 1;
    return statIn(fd, name);
  };

  const putDirectory = ({ fd }: Level, name: ByteName, entry: Entry, facts: BigIntStats | undefined) => {
    if (facts !== undefined && !facts.isDirectory()) unlinkSync(inside(fd, name));
    if (facts === undefined || !facts.isDirectory())
      fullDisk(
        () => readable(entry.path),
        () => mkdirSync(inside(fd, name), 0o700),
      );
    enter(entry.path, openDirectoryIn(fd, name), entry);
  };

  /** By a descriptor: under its name there may be something else by now. */
  const dressLink = (at: string | Buffer, { path, mtimeNs }: Entry, uid: number, gid: number) => {
    const link = openSync(at, ITSELF);
    try {
      const facts = fstatSync(link);
      if (!facts.isSymbolicLink() || facts.nlink !== 1) throw changed(path);
      if (mayGive) libc.give(link, uid, gid);
      libc.setTime(link, '', mtimeNs);
    } finally {
      closeSync(link);
    }
  };

  const putLink = ({ fd }: Level, name: ByteName, entry: Entry, facts: BigIntStats | undefined) => {
    const { uid, gid } = numbersOf(entry.owner);
    const owned = facts !== undefined && (!mayGive || (Number(facts.uid) === uid && Number(facts.gid) === gid));
    if (facts?.isSymbolicLink() && owned && facts.mtimeNs === entry.mtimeNs && linkIn(fd, name) === entry.target)
      return;
    const temporary = temporaryName();
    fullDisk(
      () => readable(entry.path),
      () => symlinkSync(Buffer.from(entry.target, 'latin1'), inside(fd, temporary)),
    );
    dressLink(inside(fd, temporary), entry, uid, gid);
    if (facts?.isDirectory()) remove(fd, name, 0);
    renameSync(inside(fd, temporary), inside(fd, name));
    written += 1;
  };

  /**
   * A new file under a temporary name, or under its own where nothing has that. It is the site's at once, which may rename it
   * meanwhile; what a crash leaves of it has another time than it shall have.
   */
  const create = (fd: number, name: ByteName, { path, owner }: Entry, free: boolean) => {
    const { uid, gid } = numbersOf(owner);
    const open = (as: ByteName) => {
      const file = openSync(inside(fd, as), NEW, 0o600);
      if (mayGive) fchownSync(file, uid, gid);
      return { as, file };
    };
    return fullDisk(
      () => readable(path),
      () => {
        try {
          return open(free ? name : temporaryName());
        } catch (thrown) {
          // The site itself has just made one.
          if (!free || (thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
          return open(temporaryName());
        }
      },
    );
  };

  /** Answers the file as it is now. */
  const putFile = (
    { fd }: Level,
    name: ByteName,
    { entry, contentAt, same }: PartEntry,
    facts: BigIntStats | undefined,
  ): BigIntStats => {
    if (same !== undefined) {
      if (facts !== undefined && isSame(same, facts)) return facts;
      throw changed(entry.path);
    }
    // Of a file with other names, those are not ours to change.
    const alike =
      facts?.isFile() && facts.nlink === 1n && Number(facts.size) === entry.size && facts.mtimeNs === entry.mtimeNs;
    if (alike) {
      const file = openSync(inside(fd, name), READ);
      try {
        // The site may have put a second name of what is somebody else's there since: that is not to be given to it.
        const now = fstatSync(file, { bigint: true });
        const isThat = now.dev === facts?.dev && now.ino === facts.ino && now.nlink === 1n;
        if (isThat && hasContent(file, part, contentAt, entry.size, within)) {
          dress(file, entry, now);
          return fstatSync(file, { bigint: true });
        }
      } finally {
        closeSync(file);
      }
    }
    const { file, as } = create(fd, name, entry, facts === undefined);
    try {
      fullDisk(
        () => readable(entry.path),
        () => writeContent(file, part, contentAt, entry.size, within),
      );
      libc.setTime(file, '', entry.mtimeNs);
      fchmodSync(file, modeOf(entry));
      if (facts?.isDirectory()) remove(fd, name, 0);
      if (as !== name) renameSync(inside(fd, as), inside(fd, name));
      written += 1;
      writtenBytes += entry.size;
      return fstatSync(file, { bigint: true });
    } catch (thrown) {
      remove(fd, as, 0);
      throw thrown;
    } finally {
      closeSync(file);
    }
  };

  const put = (each: PartEntry): void => {
    const { entry } = each;
    const root = order.trees.find(({ tree }) => tree === entry.path);
    if (root !== undefined) {
      while (levels.length > 0) leave();
      enter(entry.path, openTree(root.path), entry);
      memory.add(each, undefined);
      return;
    }
    const parent = parentOf(entry.path);
    while (levels.length > 0 && levels.at(-1)?.path !== parent) leave();
    const level = levels.at(-1);
    if (level === undefined) return; // of a tree that was not asked for
    const name = entry.path.slice(parent.length + 1);
    const facts = passTo(level, name);
    if (entry.kind === 'directory') putDirectory(level, name, entry, facts);
    else if (entry.kind === 'link') putLink(level, name, entry, facts);
    memory.add(each, entry.kind === 'file' ? putFile(level, name, each, facts) : undefined);
    passed += entry.size;
    saying.progress(passed);
  };

  try {
    for (const each of partEntries(part, true)) {
      saying.check();
      put(each);
    }
    while (levels.length > 0) leave();
    // It would be written to the disk with the files, for nothing: should the power go now, what is lacking comes again.
    part.done();
    const synced = new Set<bigint>();
    for (const { path } of order.trees) {
      const root = openTree(path);
      const { dev } = fstatSync(root, { bigint: true });
      if (!synced.has(dev)) libc.syncFileSystem(root);
      synced.add(dev);
      closeSync(root);
    }
    memory.save();
  } finally {
    for (const { fd } of levels) closeSync(fd);
  }
  if (strangers > 0) {
    saying.warn(`${strangers} files were of users or groups that mean nothing on this server: the site has them now`);
  }
  return { written, writtenBytes };
}

/** None that the site could know before, and take. */
function temporaryName(): ByteName {
  return `${TEMPORARY}${randomBytes(8).toString('hex')}`;
}

function changed(path: ByteName): AegirError {
  return new AegirError('aborted', `cannot restore ${readable(path)}: somebody changed it meanwhile; do it again`);
}

/** A program that runs as somebody else than the site is nothing that a site may bring along. */
function modeOf({ kind, mode, owner: { user, group } }: Entry): number {
  if (kind !== 'file') return mode;
  return mode & ~(user === 'site' ? 0 : 0o6000) & ~(group === 'site' ? 0 : 0o2000);
}

/** Whether it is put back as whose it was. */
function isKept({ user, group }: Owner): boolean {
  return user === 'site' && (group === 'site' || group === 'web');
}

/** With everything in it. Whoever removes a link removes the link. */
function remove(directory: number, name: ByteName, depth: number): void {
  const facts = statIn(directory, name);
  if (facts === undefined) return;
  if (!facts.isDirectory()) {
    unlinkSync(inside(directory, name));
    return;
  }
  if (depth > MAX_REMOVE_DEPTH) {
    throw new AegirError('failed_precondition', `cannot remove ${readable(name)}: its directories lie too deep`);
  }
  const fd = openDirectoryIn(directory, name);
  try {
    for (const each of readdirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' as BufferEncoding }))
      remove(fd, each, depth + 1);
  } finally {
    closeSync(fd);
  }
  rmdirSync(inside(directory, name));
}

/** Remembers the segments of the trees as they are now, so that the next look at them reads nothing. */
function createMemory(part: PartBytes, { trees, cacheDir }: PutBackOrder) {
  const caches: SegmentCache[] = [];
  let begins = createGrouping();
  let found: FoundEntry[] = [];
  let [from, to] = [0, 0];
  let exact = true;
  const close = () => {
    const refs = exact && found.length > 0 ? refsOf(part, from, to) : undefined;
    if (refs !== undefined) caches.at(-1)?.keep(segmentKey(encodeFound(found)), refs);
    found = [];
    exact = true;
    from = to;
  };
  return {
    add({ entry, offset, end }: PartEntry, facts: BigIntStats | undefined): void {
      const isRoot = trees.some(({ tree }) => tree === entry.path);
      if (isRoot) {
        close();
        caches.push(openSegmentCache(join(cacheDir, entry.path)));
        begins = createGrouping();
      }
      if (begins(pathHash(entry.path), entry.size)) close();
      if (found.length === 0) from = offset;
      found.push({ entry, ino: facts?.ino ?? 0n, ctimeNs: facts?.ctimeNs ?? 0n });
      to = end;
      if (!isKept(entry.owner) || modeOf(entry) !== entry.mode) exact = false;
    },
    save(): void {
      close();
      for (const cache of caches) cache.save();
    },
  };
}

/** The chunks of the bytes, when they begin and end with them. */
function refsOf(part: PartBytes, from: number, to: number): readonly Ref[] | undefined {
  const { index } = part;
  const first = index.placeOf(from);
  const last = index.placeOf(to - 1);
  if (index.offsetAt(first) !== from || index.offsetAt(last + 1) !== to) return undefined;
  return Array.from({ length: last - first + 1 }, (_, i) => ({
    id: Buffer.from(index.idAt(first + i)),
    size: index.sizeAt(first + i),
  }));
}
