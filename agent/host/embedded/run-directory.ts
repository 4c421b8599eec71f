// Where the sockets of an embedded server go. A UNIX socket's path may have 107 bytes, so a deep directory gets a short
// one elsewhere; its place is written down, because configurations name it and a later start must find it again.
import { createHash } from 'node:crypto';
import { lstat, mkdir, readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import type { Files } from '../host.ts';
import type { RunAs } from '../process.ts';

const MAX_SOCKET_PATH = 107;
/** The longest name that anything puts there. */
const LONGEST_NAME = 32;

export interface RunDirectory {
  readonly path: string;
  /** Takes it away when it lies outside of the server's own directory. */
  remove(): Promise<void>;
}

export async function openRunDirectory(
  dir: string,
  as: RunAs,
  files: Files,
  env: NodeJS.ProcessEnv,
): Promise<RunDirectory> {
  const inside = join(dir, 'run');
  if (fits(inside)) {
    await files.directory(inside, { mode: 0o711 });
    return { path: inside, async remove() {} };
  }
  const note = join(dir, 'run-directory');
  const known = await readFile(note, 'utf8').catch(() => undefined);
  const path = known && isAbsolute(known) && fits(known) ? known : outsidePath(dir, as, env);
  await makeOurs(path, as, files);
  await files.write(note, path, { mode: 0o644 });
  return { path, remove: () => files.remove(path) };
}

export function fits(directory: string): boolean {
  return Buffer.byteLength(directory) + 1 + LONGEST_NAME <= MAX_SOCKET_PATH;
}

/** Always the same for the same directory. Root's own runtime directory is closed to the run user. */
export function outsidePath(dir: string, as: RunAs, env: NodeJS.ProcessEnv): string {
  const base = as.uid === process.geteuid?.() && as.uid !== 0 ? env['XDG_RUNTIME_DIR'] : undefined;
  const name = `aegir-${createHash('sha256').update(dir).digest('hex').slice(0, 16)}`;
  const preferred = join(base || '/tmp', name);
  return fits(preferred) ? preferred : join('/tmp', name);
}

/** /tmp is everybody's: what is there under our name must be ours. */
async function makeOurs(path: string, as: RunAs, files: Files): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new AegirError('failed_precondition', `cannot make ${path} for sockets; make its parent writable`, {
        cause: thrown,
      });
    }
    const facts = await lstat(path);
    if (!facts.isDirectory() || (facts.uid !== as.uid && facts.uid !== process.geteuid?.())) {
      throw new AegirError('failed_precondition', `cannot use ${path} for sockets: it is somebody else's; remove it`);
    }
  }
  await files.directory(path, { mode: 0o711 });
}
