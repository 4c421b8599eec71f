// Holes in files: chunks of nothing but zeros, known without a look, and how much of them a site's files may have. For workers
// alone.
import { hash } from 'node:crypto';
import { byteSize } from '../../shared/byte-size.ts';
import { AegirError } from '../../shared/error.ts';
import { SIZES, zeroChunk } from './chunker.ts';
import { type ByteName, readable } from './entry.ts';

/**
 * A hole costs its owner nothing, and each backup an entry of its index for each 4 MiB of it, which all that reads the index
 * has in memory: 10 MB for so many. What has more is no disk of a machine and no database.
 */
export const MOST_HOLES = 1024 ** 4;
/** Fewer bytes in holes are read as fast as they are looked for. */
export const WORTH_HOLES = SIZES.max;

let id: Buffer | undefined;
/** SHA-256 of zeroChunk. */
export function zeroId(): Buffer {
  id ??= hash('sha256', zeroChunk(), 'buffer');
  return id;
}

export function tooHollow(path: ByteName, size: number): AegirError {
  return new AegirError(
    'failed_precondition',
    `cannot keep ${readable(path)}: it says to be ${byteSize(size)} long, and with it more than ${byteSize(MOST_HOLES)} of ` +
      'what a backup keeps of the site would be holes; remove it, or cut it to what it needs (truncate), then try again',
  );
}
