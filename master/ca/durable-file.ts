// Key and certificate files: 0600, whole or not there at all, and on the disk when the promise resolves.
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AegirError } from '../../shared/error.ts';

const PRIVATE = 0o600;
const MAX_BYTES = 64 * 1024;

export async function privateDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}

/** undefined when there is none. Refuses what others than the owner may read: a key that was open is no secret. */
export async function readPrivate(path: string): Promise<Buffer | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new AegirError('failed_precondition', `cannot read ${path}: ${error.code ?? error.message}`, {
      cause: error,
    });
  });
  if (file === undefined) return undefined;
  try {
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > MAX_BYTES) {
      throw new AegirError('failed_precondition', `cannot read ${path}: it is no small file`);
    }
    if ((stat.mode & 0o077) !== 0) {
      throw new AegirError(
        'failed_precondition',
        `cannot use ${path}: others may read it (mode ${(stat.mode & 0o777).toString(8)}); if nobody did, run: chmod 600 ${path}`,
      );
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** False when there was one already, which stays as it is. */
export async function createPrivate(path: string, data: string | Uint8Array): Promise<boolean> {
  const draft = await writeDraft(path, data);
  try {
    // link, unlike rename, never replaces: of two masters that start at once, one key wins for both.
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    await unlink(draft);
  }
  await syncDirectory(dirname(path));
  return true;
}

export async function replacePrivate(path: string, data: string | Uint8Array): Promise<void> {
  await rename(await writeDraft(path, data), path);
  await syncDirectory(dirname(path));
}

/** Each has a name of its own: two that write at once must not share a file. */
async function writeDraft(path: string, data: string | Uint8Array): Promise<string> {
  const draft = `${path}.${randomUUID()}.new`;
  const file = await open(draft, 'w', PRIVATE);
  try {
    await file.chmod(PRIVATE);
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
  return draft;
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
