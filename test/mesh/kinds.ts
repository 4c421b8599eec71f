// Kinds of objects for tests of transfers: a file, and a set of chunks with its index, each in folders of one directory.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeCaibx, openCaibx } from '../../agent/mesh/caibx.ts';
import { openBytes } from '../../agent/mesh/file-bytes.ts';
import { createFileSink } from '../../agent/mesh/file-sink.ts';
import type { ObjectKind } from '../../agent/mesh/objects.ts';
import { type FolderStore, openFolderStore } from './folder-store.ts';

/** dir: give/NAME, take/NAME. */
export function fileKind(dir: string): ObjectKind {
  for (const name of ['give', 'take']) mkdirSync(join(dir, name), { recursive: true });
  return {
    kind: 'file',
    async give({ name }) {
      const bytes = await openBytes(join(dir, 'give', name));
      return bytes && { form: 'blob', ...bytes };
    },
    take: async ({ name }) => ({ form: 'blob', sink: createFileSink(join(dir, 'take', name)) }),
  };
}

/** dir: give/NAME.caibx, take/NAME.caibx, and the given store for both. */
export function chunksKind(dir: string, store: FolderStore): ObjectKind {
  for (const name of ['give', 'take']) mkdirSync(join(dir, name), { recursive: true });
  return {
    kind: 'chunks',
    async give({ name }) {
      const path = join(dir, 'give', `${name}.caibx`);
      const bytes = await openBytes(path);
      if (bytes === undefined) return undefined;
      const index = await openCaibx(path);
      const close = async () => void (await Promise.all([bytes.close(), index.close()]));
      return { form: 'chunks', bytes, index, store, close };
    },
    take: async ({ name }) => ({
      ...{ form: 'chunks', sink: createFileSink(join(dir, 'take', `${name}.caibx`)), openIndex: openCaibx, store },
    }),
  };
}

/** Puts the chunks into the store of dir and writes their index; answers its digest and all their bytes. */
export async function makeChunks(dir: string, name: string, chunks: readonly Uint8Array[]) {
  const store = openFolderStore(join(dir, 'store'));
  const refs = chunks.map((bytes) => ({ id: sha256(bytes).toString('hex'), size: bytes.length }));
  for (const [i, bytes] of chunks.entries()) {
    await store.put(refs[i]?.id ?? '', bytes, { compression: 'none', bytes });
  }
  await store.flush();
  const index = encodeCaibx(refs, { min: 1, average: 262_144, max: 4 * 1024 * 1024 });
  mkdirSync(join(dir, 'give'), { recursive: true });
  writeFileSync(join(dir, 'give', `${name}.caibx`), index);
  return { digest: sha256(index), bytes: refs.reduce((sum, { size }) => sum + size, 0), refs };
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
