// Gives a backup out as a tar compressed by zstd.
import { Readable } from 'node:stream';
import { createZstdCompress } from 'node:zlib';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import { readArchive } from './archive.ts';
import type { Repository } from './repository.ts';

export interface ExportOrder {
  readonly service: ServiceRef;
  readonly backupId: string;
  readonly digest: Uint8Array;
  /** Name under which the master waits for it. */
  readonly uploadId: string;
}

/** Ends with an error where the archive does: then what came before is no whole file. */
export async function* exported(
  repository: Repository,
  { backupId, digest }: Pick<ExportOrder, 'backupId' | 'digest'>,
): AsyncIterable<Uint8Array> {
  const tar = Readable.from(readArchive(repository, backupId, digest));
  const zstd = createZstdCompress();
  tar.on('error', (error) => zstd.destroy(error));
  tar.pipe(zstd);
  try {
    for await (const bytes of zstd) yield bytes as Uint8Array;
  } finally {
    tar.destroy();
    zstd.destroy();
  }
}
