// A part that shall be a dump: one file, database.sql, and nothing else. For workers alone.
import type { PartBytes } from './part-bytes.ts';
import { DUMP_NAME } from './take-dump.ts';
import { END_BYTES, padding } from './tar-header.ts';
import { parseHeader, refused } from './tar-parse.ts';

const PIECE_BYTES = 1024 * 1024;

/** Throws permission_denied for any other part. */
export function checkDump(part: PartBytes): { readonly contentAt: number; readonly size: number } {
  const { bytes } = part.index;
  const { entry, length } = parseHeader((from, wanted) => {
    if (from + wanted > bytes) throw refused('it is cut off');
    return part.read(from, wanted);
  });
  if (entry === undefined || entry.path !== DUMP_NAME || entry.kind !== 'file') {
    throw refused(`it does not begin with ${DUMP_NAME}, so it is no dump of a database`);
  }
  const end = length + entry.size + padding(entry.size);
  if (end > bytes) throw refused('it is cut off');
  const rest = bytes - end;
  if (rest !== 0 && !(rest === END_BYTES && part.read(end, rest).every((byte) => byte === 0))) {
    throw refused(`something follows ${DUMP_NAME} in it`);
  }
  return { contentAt: length, size: entry.size };
}

export function readDump(part: PartBytes, contentAt: number, size: number, offset: number): Uint8Array {
  return part.read(contentAt + offset, Math.min(PIECE_BYTES, size - offset));
}
