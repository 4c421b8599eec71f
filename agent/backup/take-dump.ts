// Keeps a dump of a database as a part: one entry, database.sql. A dump comes once, so its chunks are kept, compressed; its
// length is known last, so its header's chunk is written last and named first. For workers alone.
import { hash } from 'node:crypto';
import { join } from 'node:path';
import { createIndexWriter } from './caibx-file.ts';
import { createChunking, createCutPoint } from './chunker.ts';
import type { Entry } from './entry.ts';
import { openPack } from './pack.ts';
import type { Ref } from './segment-cache.ts';
import type { TakenFiles } from './take-files.ts';
import { encodeHeader, padding } from './tar-header.ts';

export const DUMP_NAME = 'database.sql';

export interface TakingDump {
  piece(bytes: Uint8Array): void;
  finish(): TakenFiles;
  close(): void;
}

/** dir: empty; gets index.caibx and pack. */
export function takeDump(dir: string, mtimeNs: bigint): TakingDump {
  const pack = openPack(join(dir, 'pack'), { compress: true, verify: false });
  const refs: Ref[] = [];
  let size = 0;
  const keep = (chunk: Buffer) => {
    const id = hash('sha256', chunk, 'buffer');
    pack.put(id, chunk);
    return { id, size: chunk.length };
  };
  const chunking = createChunking(createCutPoint(), (chunk) => refs.push(keep(chunk)));
  return {
    piece(bytes) {
      chunking.write(bytes);
      size += bytes.length;
    },
    finish() {
      chunking.write(Buffer.alloc(padding(size)));
      chunking.end();
      const header = keep(encodeHeader(dumpEntry(size, mtimeNs)));
      pack.sync();
      const index = createIndexWriter(join(dir, 'index.caibx'));
      try {
        for (const { id, size: bytes } of [header, ...refs]) index.add(id, bytes);
        const [bytes, chunks] = [index.bytes(), index.count()];
        return { digest: index.finish(), bytes, chunks, readBytes: size, entries: 1 };
      } finally {
        index.close();
      }
    },
    close: () => pack.close(),
  };
}

function dumpEntry(size: number, mtimeNs: bigint): Entry {
  const owner = { user: 'root', group: 'root' } as const;
  return { path: DUMP_NAME, kind: 'file', mode: 0o640, size, mtimeNs, owner, target: '' };
}
