// The content of one file of a part: compared with what is there, or written, with holes where it is zeros.
import { ftruncateSync, readSync } from 'node:fs';
import type { Libc } from './libc.ts';
import { writeAll } from './pack.ts';
import type { PartBytes } from './part-bytes.ts';
import type { Saying } from './take-files.ts';

const PIECE_BYTES = 1024 * 1024;
const HOLE_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(HOLE_BYTES);

export function hasContent(
  file: number,
  part: Pick<PartBytes, 'read' | 'zerosAt'>,
  contentAt: number,
  size: number,
  libc: Pick<Libc, 'nextData'>,
  saying: Saying,
): boolean {
  const there = Buffer.allocUnsafe(Math.min(PIECE_BYTES, Math.max(1, size)));
  for (let at = 0; at < size; ) {
    saying.check();
    const zeros = Math.min(size - at, part.zerosAt(contentAt + at));
    const hole = zeros === 0 ? 0 : Math.min(zeros, libc.nextData(file, at, size).from - at);
    if (hole > 0) {
      at += hole;
      saying.progress(at);
      continue;
    }
    const count = readSync(file, there, 0, Math.min(there.length, size - at), at);
    if (count === 0 || !part.read(contentAt + at, count).equals(there.subarray(0, count))) return false;
    at += count;
    saying.progress(at);
  }
  return true;
}

/** What is zeros stays a hole, where it is large enough to matter. */
export function writeContent(
  file: number,
  part: Pick<PartBytes, 'lend' | 'zerosAt'>,
  contentAt: number,
  size: number,
  saying: Saying,
): void {
  let hole = false;
  for (let at = 0; at < size; ) {
    saying.check();
    const zeros = Math.min(size - at, part.zerosAt(contentAt + at));
    if (zeros > 0) {
      at += zeros;
      hole = true;
      saying.progress(at);
      continue;
    }
    const piece = part.lend(contentAt + at, Math.min(PIECE_BYTES, size - at));
    let from = 0;
    for (let block = 0; block < piece.length; block += HOLE_BYTES) {
      const end = Math.min(piece.length, block + HOLE_BYTES);
      const empty = end - block === HOLE_BYTES && piece[block] === 0 && piece.subarray(block, end).equals(ZEROS);
      if (!empty) continue;
      if (from < block) writeAll(file, piece.subarray(from, block), at + from);
      from = end;
      hole = true;
    }
    if (from < piece.length) writeAll(file, piece.subarray(from), at + from);
    at += piece.length;
    saying.progress(at);
  }
  if (hole) ftruncateSync(file, size);
}
