// A backup as the one tar that it is: its chunks in order, each verified, a few of them read ahead.
import { AegirError } from '../../../shared/error.ts';
import type { ChunkRef } from '../../mesh/objects.ts';
import { hashed } from './index-stream.ts';
import type { Repository } from './repository.ts';

/** Chunks that are read before they are wanted: 16 MiB at most. */
const AHEAD = 4;

/** digest: of its index; undefined for whatever is there. Throws not_found, data_loss at the first thing that is wrong. */
export async function* readArchive(
  repository: Repository,
  backupId: string,
  digest: Uint8Array | undefined,
): AsyncIterable<Uint8Array> {
  if (digest !== undefined) {
    const file = hashed(repository.indexFile(backupId));
    for await (const _ of file.pieces);
    if (Buffer.compare(file.digest(), digest) !== 0) {
      throw new AegirError(
        'data_loss',
        `cannot read ${backupId}: its index is not the one that was kept: it was cut off, altered or replaced`,
      );
    }
  }
  const { batches } = await repository.index(backupId);
  const coming: Promise<Uint8Array>[] = [];
  const read = (ref: ChunkRef) => {
    const chunk = repository.chunks.read(ref);
    chunk.catch(() => {}); // awaited in its turn, maybe never
    coming.push(chunk);
  };
  for await (const refs of batches) {
    repository.chunks.soon?.(refs.map(({ id }) => id));
    for (const ref of refs) {
      read(ref);
      if (coming.length > AHEAD) yield (await coming.shift()) as Uint8Array;
    }
  }
  for (const chunk of coming) yield await chunk;
}
