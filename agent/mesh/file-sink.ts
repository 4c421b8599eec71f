// A file that is received: under PATH.part until all of it is there and verified, then in its place. Durably, unless it is one
// that is verified again before it is used and of little loss.
import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import type { Sink } from './objects.ts';

const STRIDE = 1024 * 1024;

/** durable (default): what was flushed, or committed, outlives a power cut. */
export function createFileSink(
  path: string,
  durable = true,
): Sink & { readonly path: string; readonly staged: string } {
  const staged = `${path}.part`;
  let file: FileHandle | undefined;
  let at = 0;
  const opened = (): FileHandle => {
    if (file === undefined) throw new AegirError('internal', `cannot write ${staged}: it is not open`);
    return file;
  };
  const close = async () => {
    await file?.close();
    file = undefined;
  };
  return {
    path,
    staged,
    async begin(digest, seen) {
      await close();
      if (await isWhole(path, digest)) return { whole: true, kept: 0 };
      file = await open(staged, 'a+', 0o600);
      // Whatever a crash left: what is wrong in it shows when the whole is verified.
      at = await readThrough(file, seen);
      return { whole: false, kept: at };
    },
    async write(bytes) {
      await told(staged, async () => {
        for (let done = 0; done < bytes.length; ) {
          done += (await opened().write(bytes, done, bytes.length - done, at + done)).bytesWritten;
        }
      });
      at += bytes.length;
    },
    async flush() {
      if (durable) await told(staged, () => opened().datasync());
    },
    async commit() {
      if (durable) await told(staged, () => opened().sync());
      await close();
      await rename(staged, path);
      if (!durable) return;
      const dir = await open(dirname(path), 'r');
      try {
        await dir.sync();
      } finally {
        await dir.close();
      }
    },
    async discard() {
      await close();
      at = 0;
      await rm(staged, { force: true });
    },
    close,
  };
}

async function isWhole(path: string, digest: string): Promise<boolean> {
  let there: FileHandle;
  try {
    there = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  try {
    const hash = createHash('sha256');
    await readThrough(there, (bytes) => hash.update(bytes));
    return hash.digest('hex') === digest;
  } finally {
    await there.close();
  }
}

async function readThrough(file: FileHandle, seen: (bytes: Uint8Array) => void): Promise<number> {
  const buffer = Buffer.allocUnsafe(STRIDE);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(buffer, 0, STRIDE, at);
    if (bytesRead === 0) return at;
    seen(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}

/** A disk that is full is told as such. */
export async function told(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw cause;
    const why = code === 'ENOSPC' ? 'the disk is full' : 'the quota of the disk is used up';
    throw new AegirError('resource_exhausted', `cannot write ${path}: ${why}; make room: what came so far is kept`, {
      cause,
      retryable: false,
    });
  }
}
