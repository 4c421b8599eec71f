// A path held by the descriptor of its directory, so that nobody can put a link into it meanwhile (what openat(2) is for;
// Node has no such call, and /proc/PID/fd does the same). Links in directories that only root or the agent may change are
// followed, as /var/run is; in others they are refused: their owner could lead a write of ours anywhere.
import { constants } from 'node:fs';
import { type FileHandle, open, readlink } from 'node:fs/promises';
import { basename, dirname, isAbsolute } from 'node:path';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;
const MAX_LINKS = 20;

export interface Anchored {
  /** The path through the descriptor; for the calls of this process and of processes with its rights. */
  readonly path: string;
  /** Another name in the same directory. */
  beside(name: string): string;
  /** fsync of the directory. */
  sync(): Promise<void>;
}

/** Throws ENOENT where a directory of the path is missing, ELOOP for a link that is not trusted. */
export async function anchored<T>(path: string, act: (at: Anchored) => Promise<T>): Promise<T> {
  const directory = await openDirectory(dirname(path));
  try {
    const beside = (name: string) => `/proc/${process.pid}/fd/${directory.fd}/${name}`;
    return await act({ path: beside(basename(path)), beside, sync: () => directory.sync() });
  } finally {
    await directory.close();
  }
}

async function openDirectory(path: string): Promise<FileHandle> {
  let left = path.split('/').filter((part) => part !== '');
  let links = 0;
  let at = await open('/', DIRECTORY);
  try {
    for (let part = left.shift(); part !== undefined; part = left.shift()) {
      const inside = `/proc/self/fd/${at.fd}/${part}`;
      const next = await open(inside, DIRECTORY | constants.O_NOFOLLOW).catch((cause: NodeJS.ErrnoException) => cause);
      if (!(next instanceof Error)) {
        await at.close();
        at = next;
        continue;
      }
      const target = await readlink(inside).catch(() => undefined);
      if (target === undefined) throw next;
      links += 1;
      if (links > MAX_LINKS || !(await isTrusted(at)))
        throw Object.assign(new Error(`${part} is a link`), { code: 'ELOOP' });
      left = [...target.split('/').filter((each) => each !== '' && each !== '.'), ...left];
      if (isAbsolute(target)) {
        await at.close();
        at = await open('/', DIRECTORY);
      }
    }
    return at;
  } catch (thrown) {
    await at.close();
    throw thrown;
  }
}

/** Nobody but root and the agent itself can change what is in it. */
async function isTrusted(directory: FileHandle): Promise<boolean> {
  const { uid, mode } = await directory.stat();
  return (uid === 0 || uid === process.geteuid?.()) && (mode & 0o022) === 0;
}
