// The calls of the system that Node has not, or not as quick: times to the nanosecond, links given away by their descriptor,
// all of a file system made durable at once, a look at what lies in an open directory, and at where a file has holes.
import { dlopen, getRawPointer } from 'node:ffi';
import { endianness } from 'node:os';
import { AegirError } from '../../shared/error.ts';
import type { ByteName, EntryKind } from './entry.ts';

/** Of a file, directory, link, or what is none of them. */
export interface FileFacts {
  readonly kind: EntryKind | 'other';
  /** Permission bits with set-id and sticky ones. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly ino: bigint | number;
  readonly mtime: Time;
  readonly ctime: Time;
}

/** Since 1970; ns from 0 on. In numbers: of large integers V8 makes an object for each step that it reckons. */
export interface Time {
  readonly seconds: number;
  readonly ns: number;
}

export interface Libc {
  /**
   * What lies in an open directory; a link itself. undefined when the system does not say, for whatever reason: lstat knows.
   * Half of what that takes in Node, of which a site wants as many as it has files.
   */
  look(directory: number, name: ByteName): FileFacts | undefined;
  /**
   * Time of the last change of what lies in an open directory; "." is the directory. Links are not followed. With '' for a
   * name it is that of the open file itself, whatever it is called by now.
   */
  setTime(directory: number, name: ByteName, mtimeNs: bigint): void;
  /** Gives away what is open, be it by O_PATH alone, as links are. For root. */
  give(file: number, uid: number, gid: number): void;
  /** What was written to the file system of an open file is durable when it returns. */
  syncFileSystem(file: number): void;
  /**
   * The next bytes of an open file, from an offset on, that are no hole. What the system does not say is none. Moves the place
   * at which the file is read by whoever names none.
   */
  nextData(file: number, at: number, end: number): Stretch;
}

/** Both are the end where nothing is left. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

const NS = 1_000_000_000n;
const MAX_NAME = 255;
const NOFOLLOW = 0x100; // AT_SYMLINK_NOFOLLOW
const ITSELF = 0x1000; // AT_EMPTY_PATH, of utimensat since Linux 5.8
/** Of struct statx (statx(2), the same on all machines), counted in 16 and in 32 bits. */
const STATX_BYTES = 256;
const MODE = 14;
const [UID, GID] = [5, 6];
const [INO, SIZE, CTIME, MTIME] = [8, 10, 24, 28];
const BASIC = 0x7ff;
const [SEEK_DATA, SEEK_HOLE] = [3, 4];
const WORD = 2 ** 32;
const [LOW, HIGH] = endianness() === 'LE' ? [0, 1] : [1, 0];
const NO_NAME = Buffer.alloc(1);

const KINDS: ReadonlyMap<number, EntryKind> = new Map([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'link'],
]);

export function openLibc(): Libc {
  const { functions } = dlopen('libc.so.6', {
    utimensat: { return: 'i32', arguments: ['i32', 'pointer', 'pointer', 'i32'] },
    fchownat: { return: 'i32', arguments: ['i32', 'pointer', 'u32', 'u32', 'i32'] },
    statx: { return: 'i32', arguments: ['i32', 'pointer', 'i32', 'u32', 'pointer'] },
    syncfs: { return: 'i32', arguments: ['i32'] },
    lseek: { return: 'i64', arguments: ['i32', 'i64', 'i32'] },
  });
  // Of last access and of last change, seconds and nanoseconds each: twenty thousand files share them.
  const times = new BigInt64Array(4);
  const timesAt = Buffer.from(times.buffer);
  const path = Buffer.alloc(MAX_NAME + 1);
  const words = new Uint32Array(STATX_BYTES / 4);
  const [halves, signed] = [new Uint16Array(words.buffer), new Int32Array(words.buffer)];
  const facts = Buffer.from(words.buffer);
  const [pathAt, factsAt] = [getRawPointer(path), getRawPointer(facts)];
  const longAt = (place: number): number => (signed[place + HIGH] as number) * WORD + (words[place + LOW] as number);
  const timeAt = (place: number): Time => ({ seconds: longAt(place), ns: words[place + 2] as number });
  const seek = (file: number, at: number, what: number) => Number(functions.lseek(file, BigInt(at), what));
  return {
    look(directory, name) {
      path[path.write(name, 0, MAX_NAME, 'latin1')] = 0;
      if (functions.statx(directory, pathAt, NOFOLLOW, BASIC, factsAt) !== 0) return undefined;
      const mode = halves[MODE] as number;
      const kind = KINDS.get(mode & 0o170000) ?? 'other';
      const [uid, gid] = [words[UID] as number, words[GID] as number];
      const few = longAt(INO);
      const ino = few >= 0 && few <= Number.MAX_SAFE_INTEGER ? few : facts.readBigUInt64LE(4 * INO);
      const [mtime, ctime] = [timeAt(MTIME), timeAt(CTIME)];
      return { kind, mode: mode & 0o7777, uid, gid, size: longAt(SIZE), ino, mtime, ctime };
    },
    setTime(directory, name, mtimeNs) {
      const below = mtimeNs % NS;
      const ns = below < 0n ? below + NS : below;
      const seconds = (mtimeNs - ns) / NS;
      times.fill(seconds).fill(ns, 1, 2).fill(ns, 3);
      // A longer one is none that a directory can hold.
      path[path.write(name, 0, MAX_NAME, 'latin1')] = 0;
      if (functions.utimensat(directory, path, timesAt, name === '' ? ITSELF : NOFOLLOW) === 0) return;
      throw new AegirError('internal', 'cannot set the time of a file: the system refused it', { retryable: true });
    },
    give(file, uid, gid) {
      if (functions.fchownat(file, NO_NAME, uid, gid, ITSELF) === 0) return;
      throw new AegirError('internal', 'cannot give a link to the site: the system refused it', { retryable: true });
    },
    syncFileSystem(file) {
      if (functions.syncfs(file) === 0) return;
      throw new AegirError(
        'internal',
        'cannot make the files durable: the disk failed, or is full; see the kernel log',
      );
    },
    nextData(file, at, end) {
      const from = seek(file, at, SEEK_DATA);
      // None is left, where a hole begins at the offset itself; otherwise it cannot say.
      if (from < 0) return seek(file, at, SEEK_HOLE) === at ? { from: end, to: end } : { from: at, to: end };
      const to = seek(file, from, SEEK_HOLE);
      return { from: Math.min(from, end), to: to > from ? Math.min(to, end) : end };
    },
  };
}
