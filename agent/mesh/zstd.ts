// Chunks by zstd, at once and in one piece of memory: by default zlib takes a piece for every few kilobytes and copies all
// of them together, which costs more than zstd itself.
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** More than zstd adds to what has nothing to lose; and a rest, which tells zlib that nothing follows. */
const SPARE = 1024;

/** level: as zstd counts them, below 0 for haste. */
export function zstdPacked(raw: Uint8Array, level: number): Buffer {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  return zstdCompressSync(raw, { params, chunkSize: raw.length + (raw.length >>> 8) + SPARE });
}

/** Throws when it is no frame, or one of more than size bytes. */
export function zstdUnpacked(frame: Uint8Array, size: number): Buffer {
  return zstdDecompressSync(frame, { maxOutputLength: size, chunkSize: size + SPARE });
}
