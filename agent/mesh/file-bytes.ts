// A file as bytes to send.
import { type FileHandle, open } from 'node:fs/promises';
import { AegirError } from '../../shared/error.ts';
import type { Bytes } from './objects.ts';

/** undefined when there is no such file. */
export async function openBytes(path: string): Promise<Bytes | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const { size } = await file.stat();
  return {
    size,
    async read(offset, length) {
      const buffer = Buffer.allocUnsafe(length);
      for (let at = 0; at < length; ) {
        const { bytesRead } = await file.read(buffer, at, length - at, offset + at);
        if (bytesRead === 0) {
          throw new AegirError('data_loss', `cannot read ${path}: it ends after ${offset + at} bytes; was it changed?`);
        }
        at += bytesRead;
      }
      return buffer;
    },
    close: () => file.close(),
  };
}
