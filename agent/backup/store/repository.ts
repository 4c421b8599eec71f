// The backups on one file service, over one connection to it: their files and chunks by what they are, not by where they
// lie. Calls may overlap; the service gets them one by one, unless it takes several.
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { AegirError } from '../../../shared/error.ts';
import type { ObjectStore } from '../../engine/engine.ts';
import { createSerial } from '../../host/serial.ts';
import { type ChunkRef, type ChunkStore, MAX_CHUNK_BYTES, type StoredChunk } from '../../mesh/objects.ts';
import { FILES, type Form, indexedBackup, indexFile, summaryFile } from './form.ts';
import { type IndexReading, readIndex } from './index-stream.ts';
import { parseSummary, type Summary, summaryText } from './summary.ts';
import { frameSize } from './zstd-frame.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** What compression may add to bytes that have none to lose, and encryption to any. */
const OVERHEAD = 64 * 1024;
const MAX_SUMMARY = 1024 * 1024;
/** Chunks that are fetched together, and those that may wait to be got: of 4 MiB at most. */
const AT_ONCE = 16;
const MOST_AHEAD = 32;

export interface Repository {
  readonly form: Form;
  readonly chunks: Chunks;
  /** Ids of backups whose index is there, in no order. */
  backups(): Promise<readonly string[]>;
  /** undefined when the backup has none. Throws data_loss for one that is damaged. */
  summary(backupId: string): Promise<Summary | undefined>;
  hasIndex(backupId: string): Promise<boolean>;
  /** Throws not_found, data_loss. */
  index(backupId: string): Promise<IndexReading>;
  putIndex(backupId: string, pieces: AsyncIterable<Uint8Array>): Promise<void>;
  putSummary(summary: Summary): Promise<void>;
  /** The same as it lies there. */
  indexFile(backupId: string): AsyncIterable<Uint8Array>;
  /** Then there is no such backup any more. */
  removeIndex(backupId: string): Promise<void>;
  removeSummary(backupId: string): Promise<void>;
  /** Objects that keep chunks, with what they take as far as the service tells. */
  listChunks(): AsyncIterable<{ readonly object: string; readonly bytes: number }>;
  removeObject(object: string): Promise<void>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface Chunks extends ChunkStore {
  /** Takes in the zstd frame of a chunk that was verified. Durable with the next flush. */
  putFrame(ref: ChunkRef, frame: Uint8Array): Promise<void>;
  /** Verified by its digest. Throws data_loss. */
  read(ref: ChunkRef): Promise<Uint8Array>;
  /** Chunks that were put: their bytes as they are, and as they are stored. */
  added(): { readonly rawBytes: number; readonly storedBytes: number };
}

/** Takes the store over. */
export function createRepository(store: ObjectStore, form: Form): Repository {
  const serial = createSerial();
  const chunks = createChunks(store, form, serial);

  const objectOf = (file: string) => form.file(file);
  async function* read(file: string): AsyncIterable<Uint8Array> {
    yield* form.open(objectOf(file), store.get(objectOf(file)));
  }
  return {
    form,
    chunks,
    backups: () =>
      serial(async () => {
        const found: string[] = [];
        for await (const { name } of store.list(FILES)) {
          const file = form.fileOf(name);
          const id = file === undefined ? undefined : indexedBackup(file);
          if (id !== undefined) found.push(id);
        }
        return found;
      }),
    summary: (backupId) =>
      serial(async () => {
        const file = summaryFile(backupId);
        if ((await store.stat(objectOf(file))) === undefined) return undefined;
        return parseSummary((await gathered(read(file), MAX_SUMMARY, `summary of ${backupId}`)).toString(), backupId);
      }),
    hasIndex: (backupId) => serial(async () => (await store.stat(objectOf(indexFile(backupId)))) !== undefined),
    index: (backupId) => serial(() => readIndex(read(indexFile(backupId)), `index of ${backupId}`)),
    putIndex: (backupId, pieces) => {
      const object = objectOf(indexFile(backupId));
      return serial(() => store.put(object, form.seal(object, pieces)));
    },
    putSummary: (summary) => {
      const object = objectOf(summaryFile(summary.id));
      return serial(() => store.put(object, form.seal(object, [Buffer.from(summaryText(summary))])));
    },
    indexFile: (backupId) => read(indexFile(backupId)),
    removeIndex: (backupId) => serial(() => store.remove(objectOf(indexFile(backupId)))),
    removeSummary: (backupId) => serial(() => store.remove(objectOf(summaryFile(backupId)))),
    async *listChunks() {
      for await (const { name, size } of store.list(form.chunks)) {
        if (form.isChunk(name)) yield { object: name, bytes: size ?? 0 };
      }
    },
    removeObject: (object) => serial(() => store.remove(object)),
    flush: () => chunks.flush(),
    close: () => serial(() => store.close()),
  };
}

function createChunks(store: ObjectStore, form: Form, serial: ReturnType<typeof createSerial>): Chunks {
  /** Put and not durable yet. */
  const waiting = new Set<string>();
  let rawBytes = 0;
  let storedBytes = 0;

  /** Got next, and not fetched yet; fetched, and not got yet. */
  const coming = new Set<string>();
  const ahead = new Set<string>();
  let bringing = false;
  const bringOn = async (): Promise<void> => {
    if (bringing) return;
    bringing = true;
    try {
      while (coming.size > 0 && ahead.size < MOST_AHEAD) {
        const ids = [...coming].slice(0, AT_ONCE);
        for (const id of ids) {
          coming.delete(id);
          ahead.add(id);
        }
        await serial(async () => store.bring?.(ids.map((id) => form.chunk(id))));
      }
    } catch {
      // Each get meets it by itself, and says what is wrong.
      coming.clear();
    } finally {
      bringing = false;
    }
  };
  const soon = (ids: readonly string[]): void => {
    for (const id of ids) coming.add(id);
    void bringOn();
  };

  const get = async (id: string): Promise<Buffer> => {
    const object = form.chunk(id);
    coming.delete(id);
    const got = serial(() => gathered(form.open(object, store.get(object)), MAX_CHUNK_BYTES + OVERHEAD, `chunk ${id}`));
    // The next ones are fetched behind it.
    if (ahead.delete(id)) void bringOn();
    try {
      return await got;
    } catch (thrown) {
      if (!(thrown instanceof AegirError) || thrown.code !== 'not_found') throw thrown;
      throw new AegirError('data_loss', `cannot read chunk ${id}: the store does not have it; verify the backup`);
    }
  };
  const unpacked = async (id: string, bytes: Uint8Array, most: number): Promise<Uint8Array> => {
    try {
      return await decompress(bytes, { maxOutputLength: most });
    } catch (cause) {
      throw new AegirError('data_loss', `cannot read chunk ${id}: it is damaged in the store; verify the backup`, {
        cause,
      });
    }
  };
  const putFrame: Chunks['putFrame'] = async ({ id, size }, frame) => {
    const object = form.chunk(id);
    const put = () => store.put(object, form.seal(object, [frame]));
    // A store that takes them while it flushes has no need to wait for the disk in between.
    await (store.overlapping === true ? put() : serial(put));
    waiting.add(id);
    rawBytes += size;
    storedBytes += frame.length;
  };
  return {
    putFrame,
    ...(store.bring === undefined ? {} : { soon }),
    async has(ids) {
      const there = await serial(() => store.present(ids.map((id) => form.chunk(id))));
      return ids.map((id, at) => there[at] === true && !waiting.has(id));
    },
    async get(id): Promise<StoredChunk> {
      const bytes = await get(id);
      const size = frameSize(bytes);
      if (size !== undefined && bytes.length <= size) return { compression: 'zstd', bytes, own: true };
      // Nothing was won by compressing it: it travels as it is.
      return { compression: 'none', bytes: await unpacked(id, bytes, MAX_CHUNK_BYTES), own: true };
    },
    async read({ id, size }) {
      const raw = await unpacked(id, await get(id), size);
      if (raw.length === size && createHash('sha256').update(raw).digest('hex') === id) return raw;
      throw new AegirError('data_loss', `cannot read chunk ${id}: its content is not what its digest says`);
    },
    async put(id, raw, stored) {
      const frame = stored.compression === 'zstd' ? stored.bytes : await compress(raw);
      await putFrame({ id, size: raw.length }, frame);
    },
    flush: () =>
      serial(async () => {
        const due = [...waiting];
        await store.flush();
        for (const id of due) waiting.delete(id);
      }),
    added: () => ({ rawBytes, storedBytes }),
  };
}

async function gathered(pieces: AsyncIterable<Uint8Array>, most: number, what: string): Promise<Buffer> {
  const all: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces) {
    size += piece.length;
    if (size > most) throw new AegirError('data_loss', `cannot read the ${what}: it is longer than any`);
    all.push(piece);
  }
  return Buffer.concat(all);
}
