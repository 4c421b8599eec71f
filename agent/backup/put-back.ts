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
import { AegirError } from '../../shared/error.ts';
import type { Companion } from './companion.ts';
import { type ByteName, type Entry, type Owner, parentOf, readable, TEMPORARY } from './entry.ts';
import { fullDisk } from './full-disk.ts';
import type { Libc } from './libc.ts';
import { createMaker, type Dress, dressNew, type MadeFiles, mayGive, openNew } from './new-file.ts';
import type { PartBytes } from './part-bytes.ts';
import { type PartEntry, partEntries } from './part-entries.ts';
import { hasContent, writeContent } from './put-content.ts';
import { createPutMemory, modeOf } from './put-memory.ts';
import { createReadAlong } from './read-along.ts';
import type { Saying, TreeRoot } from './take-files.ts';
import { inside, isNamed, isSame, linkIn, type Owners, openDirectoryIn, openTree, statIn } from './tree.ts';

export interface PutBackOrder {
  readonly trees: readonly TreeRoot[];
  readonly owners: Owners;
  readonly cacheDir: string;
  /** Of another thread, which makes some of the files; for once. */
  readonly companion?: Companion;
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

/** A link itself, not what it leads to: O_PATH, which Node does not name (asm-generic/fcntl.h). */
const ITSELF = 0o10000000 | constants.O_NOFOLLOW;
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const MAX_REMOVE_DEPTH = 2000;
/** New files that go to another thread together, each smaller than LARGE. */
const TOGETHER = 8;
const LARGE = 1024 * 1024;
/** Fewer of them are not worth another thread, nor reading them one by one for two. */
const WORTH_FILES = 500;
/** Entries, or such files, whose turn has not come. */
const MOST_WAITING = 64;

/** A new file that nothing lies in the way of. */
interface Free {
  readonly each: PartEntry;
  readonly level: Level;
  readonly name: ByteName;
  readonly pieces: readonly number[];
}

interface Waiting {
  isReady(): boolean;
  act(): void;
}

export function putBack(part: PartBytes, order: PutBackOrder, libc: Libc, saying: Saying): PutBack {
  const isRoot = mayGive();
  const along = order.companion === undefined ? undefined : createReadAlong(order.companion);
  /** In the order of the part, until the first of them is in its place. */
  const waiting: Waiting[] = [];
  const free: Free[] = [];
  let fresh = 0;
  let [written, writtenBytes, strangers, passed] = [0, 0, 0, 0];
  const levels: Level[] = [];
  const memory = createPutMemory(part, order);
  const make = createMaker(libc, { ...saying, progress: () => {} });
  /** Of the file at work: one alone may take hours. */
  const within: Saying = { ...saying, progress: (bytes) => saying.progress(passed + bytes) };

  /**
   * What root has in a site's trees the site gets: a web server that follows links to their owner's files alone would follow
   * one of root's to what is root's.
   */
  const numbersOf = (owner: Owner): { readonly uid: number; readonly gid: number } => {
    const { siteUid, siteGid, webGid } = order.owners;
    if (!isNamed(owner)) strangers += 1;
    return { uid: siteUid, gid: owner.group === 'web' ? webGid : siteGid };
  };
  const dressOld = (fd: number, entry: Entry, facts: BigIntStats) => {
    const { uid, gid } = numbersOf(entry.owner);
    const mode = modeOf(entry);
    const given = isRoot && (Number(facts.uid) !== uid || Number(facts.gid) !== gid);
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
      dressOld(fd, entry, fstatSync(fd, { bigint: true }));
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
      if (isRoot) libc.give(link, uid, gid);
      libc.setTime(link, '', mtimeNs);
    } finally {
      closeSync(link);
    }
  };

  const putLink = ({ fd }: Level, name: ByteName, entry: Entry, facts: BigIntStats | undefined) => {
    const { uid, gid } = numbersOf(entry.owner);
    const owned = facts !== undefined && (!isRoot || (Number(facts.uid) === uid && Number(facts.gid) === gid));
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

  /** A new file under a temporary name, or under its own where nothing has that. */
  const create = (fd: number, name: ByteName, path: ByteName, dress: Dress, isFree: boolean) => {
    const open = (as: ByteName) => ({ as, file: openNew(fd, as, dress) });
    return fullDisk(
      () => readable(path),
      () => {
        try {
          return open(isFree ? name : temporaryName());
        } catch (thrown) {
          // The site itself has just made one.
          if (!isFree || (thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
          return open(temporaryName());
        }
      },
    );
  };
  const dressOf = (entry: Entry): Dress => ({
    ...{ ...numbersOf(entry.owner), mode: modeOf(entry), mtimeNs: entry.mtimeNs },
  });

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
        if (isThat && hasContent(file, part, contentAt, entry.size, libc, within)) {
          dressOld(file, entry, now);
          return fstatSync(file, { bigint: true });
        }
      } finally {
        closeSync(file);
      }
    }
    const dress = dressOf(entry);
    const { file, as } = create(fd, name, entry.path, dress, facts === undefined);
    try {
      fullDisk(
        () => readable(entry.path),
        () => writeContent(file, part, contentAt, entry.size, within),
      );
      dressNew(file, dress, libc);
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

  const settle = (most: number) => {
    while (waiting.length > 0 && (waiting.length > most || waiting[0]?.isReady() === true)) waiting.shift()?.act();
  };
  const inTurn = (act: () => void, isReady = () => true) => {
    waiting.push({ isReady, act });
    settle(MOST_WAITING);
  };
  /** Those that wait for others of their kind are made by the other thread where it may, or here. */
  const makeFree = (may: boolean) => {
    const all = free.splice(0);
    const [first] = all;
    if (first === undefined) return;
    const directory = first.level.fd;
    const files = all.map(({ name, each: { entry }, pieces }) => ({
      ...{ name, dress: dressOf(entry), size: entry.size, pieces },
    }));
    const order = { directory, pack: part.packFile(), files };
    const remember = (made: MadeFiles) => {
      for (const [i, { level, name, each }] of all.entries()) {
        const [ino, ctimeNs] = [made[2 * i], made[2 * i + 1]];
        if (ino === undefined || ctimeNs === undefined) {
          memory.add(each, putFile(level, name, each, undefined));
          continue;
        }
        written += 1;
        writtenBytes += each.entry.size;
        memory.add(each, { ino: BigInt.asUintN(64, ino), ctimeNs });
      }
    };
    const there = may && along?.mayMake() === true ? along.make(order) : undefined;
    if (there !== undefined) return inTurn(() => remember(there.answer()), there.isAnswered);
    const made = make(order);
    inTurn(() => remember(made));
  };
  /** Nobody is at work in a directory that is left. */
  const leaveDone = () => {
    makeFree(false);
    settle(0);
    leave();
  };

  const pass = ({ size }: Entry) => {
    passed += size;
    saying.progress(passed);
  };
  const put = (each: PartEntry): void => {
    const { entry } = each;
    const root = order.trees.find(({ tree }) => tree === entry.path);
    if (root !== undefined) {
      while (levels.length > 0) leaveDone();
      enter(entry.path, openTree(root.path), entry);
      inTurn(() => memory.add(each, undefined));
      return;
    }
    const parent = parentOf(entry.path);
    while (levels.length > 0 && levels.at(-1)?.path !== parent) leaveDone();
    const level = levels.at(-1);
    if (level === undefined) return; // of a tree that was not asked for
    const name = entry.path.slice(parent.length + 1);
    const facts = passTo(level, name);
    if (entry.kind === 'file' && facts === undefined && each.same === undefined && entry.size < LARGE) {
      fresh += 1;
      if (fresh === WORTH_FILES && along !== undefined) saying.wanted?.();
      const pieces = fresh > WORTH_FILES ? part.packed(each.contentAt, entry.size) : undefined;
      if (pieces !== undefined) {
        free.push({ each, level, name, pieces });
        if (free.length === TOGETHER) makeFree(true);
        pass(entry);
        return;
      }
    }
    makeFree(true);
    if (entry.kind === 'directory') putDirectory(level, name, entry, facts);
    else if (entry.kind === 'link') putLink(level, name, entry, facts);
    const known = entry.kind === 'file' ? putFile(level, name, each, facts) : undefined;
    inTurn(() => memory.add(each, known));
    pass(entry);
  };

  try {
    for (const each of partEntries(part, true)) {
      saying.check();
      put(each);
    }
    while (levels.length > 0) leaveDone();
    settle(0);
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
    along?.drain();
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
