// A chunk as it came, made what its id says that it is, or refused.
import { hash } from 'node:crypto';
import { AegirError } from '../../shared/error.ts';
import type { ChunkRef, StoredChunk } from './objects.ts';
import { zstdUnpacked } from './zstd.ts';

/** Answers its bytes before compression. Throws data_loss. */
export function verifiedChunk({ id, size }: ChunkRef, { compression, bytes }: StoredChunk): Uint8Array {
  const raw = compression === 'none' ? bytes : unpacked(id, size, bytes);
  if (raw.length !== size || hash('sha256', raw, 'hex') !== id) throw damaged(id);
  return raw;
}

function unpacked(id: string, size: number, bytes: Uint8Array): Uint8Array {
  try {
    return zstdUnpacked(bytes, size);
  } catch (cause) {
    throw damaged(id, cause);
  }
}

function damaged(id: string, cause?: unknown): AegirError {
  return new AegirError(
    'data_loss',
    `cannot use what came: chunk ${id} is not what its digest says; it is damaged at the sender: verify its store`,
    { cause },
  );
}
