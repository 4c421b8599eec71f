// The calls of the system that Node has not: times to the nanosecond, links given away by their descriptor, and all of a file
// system made durable at once.
import { dlopen } from 'node:ffi';
import { AegirError } from '../../shared/error.ts';
import type { ByteName } from './entry.ts';

export interface Libc {
  /**
   * Time of the last change of what lies in an open directory; "." is the directory. Links are not followed. With '' for a
   * name it is that of the open file itself, whatever it is called by now.
   */
  setTime(directory: number, name: ByteName, mtimeNs: bigint): void;
  /** Gives away what is open, be it by O_PATH alone, as links are. For root. */
  give(file: number, uid: number, gid: number): void;
  /** What was written to the file system of an open file is durable when it returns. */
  syncFileSystem(file: number): void;
}

const NS = 1_000_000_000n;
const MAX_NAME = 255;
const NOFOLLOW = 0x100; // AT_SYMLINK_NOFOLLOW
const ITSELF = 0x1000; // AT_EMPTY_PATH, of utimensat since Linux 5.8
const NO_NAME = Buffer.alloc(1);

export function openLibc(): Libc {
  const { functions } = dlopen('libc.so.6', {
    utimensat: { return: 'i32', arguments: ['i32', 'pointer', 'pointer', 'i32'] },
    fchownat: { return: 'i32', arguments: ['i32', 'pointer', 'u32', 'u32', 'i32'] },
    syncfs: { return: 'i32', arguments: ['i32'] },
  });
  // Of last access and of last change, seconds and nanoseconds each: twenty thousand files share them.
  const times = new BigInt64Array(4);
  const timesAt = Buffer.from(times.buffer);
  const path = Buffer.alloc(MAX_NAME + 1);
  return {
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
  };
}
