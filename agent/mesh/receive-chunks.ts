// Receives a set of chunks by its verified index: asks for those alone that the store lacks, verifies each by its
// digest, and makes them durable in batches.
import { AegirError } from '../../shared/error.ts';
import { flow, type Planned } from './flow.ts';
import type { ChunkIndex, ChunkRef, StoredChunk, TakenStore } from './objects.ts';
import type { Answer, Pull } from './pull.ts';
import type { Receiving } from './receive-blob.ts';
import { verifiedChunk } from './verified-chunk.ts';
import { MAX_CHUNKS_OF_ASK, MESSAGE_BYTES } from './wire.ts';

const LOOK_AHEAD = 1024;
/** Answers that are verified and written at once: one by a thread, others on their way to it and back. */
const TOGETHER = 3;
/** Bytes and chunks that wait to be made durable: what a power cut costs. */
const FLUSH_BYTES = 64 * 1024 * 1024;
const FLUSH_CHUNKS = 4096;

export interface ChunksReceipt {
  /** True when every chunk of the index is in the store. */
  complete(): Promise<boolean>;
  /** Fetches what is lacking. False when the time was over before all of it was there. */
  pull(pull: Pull, receiving: Receiving): Promise<boolean>;
}

type Batch = readonly ChunkRef[];

export function receiveChunks(index: ChunkIndex, store: TakenStore): ChunksReceipt {
  return {
    async complete() {
      for (let at = 0; at < index.count; at += LOOK_AHEAD) {
        const refs = await index.at(at, Math.min(LOOK_AHEAD, index.count - at));
        if ((await store.has(refs.map(({ id }) => id))).includes(false)) return false;
      }
      return true;
    },
    async pull(pull, receiving) {
      const batches = createFlushes(store);
      let over = false;
      const lacking = lackingOf(index, store, batches.coming, receiving);
      const going = flow<Batch>({
        pull,
        together: TOGETHER,
        limit: (bytes) => receiving.limit(bytes),
        next: async () => {
          if (!receiving.goOn()) {
            over = true;
            return undefined;
          }
          const { value, done } = await lacking.next();
          return done === true ? undefined : value;
        },
        take: async (answer, refs) => {
          await keep(store, refs, split(answer, refs));
          const bytes = refs.reduce((sum, { size }) => sum + size, 0);
          receiving.arrived(bytes, refs.length);
          await batches.put(refs, bytes);
        },
      });
      try {
        await going;
      } catch (error) {
        // What came and was right is kept for the next time; why it ended matters more than whether that works.
        await batches.end().catch(() => {});
        throw error;
      }
      await batches.end();
      return !over;
    },
  };
}

/** Groups of chunks to ask for at once, in the order of the index. coming: asked for, or put and not durable yet. */
async function* lackingOf(
  index: ChunkIndex,
  store: Pick<TakenStore, 'has'>,
  coming: Set<string>,
  receiving: Receiving,
): AsyncGenerator<Planned<Batch>, undefined> {
  let refs: ChunkRef[] = [];
  let spans: { first: number; count: number }[] = [];
  let bytes = 0;
  const group = (): Planned<Batch> => {
    const planned = { wanted: { of: 'chunks' as const, spans }, bytes, about: refs };
    refs = [];
    spans = [];
    bytes = 0;
    return planned;
  };
  receiving.known(index.bytes, index.count, 0);
  for (let at = 0; at < index.count; at += LOOK_AHEAD) {
    const looked = await index.at(at, Math.min(LOOK_AHEAD, index.count - at));
    const there = await store.has(looked.map(({ id }) => id));
    let known = 0;
    for (const [i, ref] of looked.entries()) {
      if (there[i] === true || coming.has(ref.id)) {
        known += ref.size;
        continue;
      }
      if (refs.length > 0 && (bytes + ref.size > MESSAGE_BYTES || refs.length >= MAX_CHUNKS_OF_ASK)) yield group();
      coming.add(ref.id);
      const span = spans.at(-1);
      if (span !== undefined && span.first + span.count === at + i) span.count += 1;
      else spans.push({ first: at + i, count: 1 });
      refs.push(ref);
      bytes += ref.size;
    }
    if (known > 0) receiving.known(index.bytes, index.count, known);
  }
  if (refs.length > 0) yield group();
  return undefined;
}

/** The store is made durable behind the transfer's back: the next batch comes meanwhile. */
function createFlushes(store: Pick<TakenStore, 'flush'>) {
  const coming = new Set<string>();
  let put: string[] = [];
  let bytes = 0;
  let flushing: Promise<void> = Promise.resolve();
  const flush = () => {
    const ids = put;
    put = [];
    bytes = 0;
    flushing = store.flush().then(() => {
      for (const id of ids) coming.delete(id);
    });
    flushing.catch(() => {}); // awaited before the next one
  };
  return {
    coming,
    async put(refs: Batch, size: number): Promise<void> {
      for (const { id } of refs) put.push(id);
      bytes += size;
      if (bytes < FLUSH_BYTES && put.length < FLUSH_CHUNKS) return;
      await flushing;
      flush();
    },
    async end(): Promise<void> {
      await flushing;
      flush();
      await flushing;
    },
  };
}

function split({ bytes, chunks }: Answer, refs: Batch): StoredChunk[] {
  const wrong = () =>
    new AegirError('permission_denied', 'cannot believe the sender: it sent other chunks than asked for');
  if (chunks.length !== refs.length) throw wrong();
  let at = 0;
  const parts = chunks.map(({ compression, size }) => {
    if (compression !== 'none' && compression !== 'zstd') throw wrong();
    at += size;
    return { compression, bytes: bytes.subarray(at - size, at) } as const;
  });
  if (at !== bytes.length) throw wrong();
  return parts;
}

async function keep(store: TakenStore, refs: Batch, chunks: readonly StoredChunk[]): Promise<void> {
  if ('takeIn' in store) return store.takeIn(refs, chunks);
  const kept = refs.map(async (ref, i) => {
    const stored = chunks[i] as StoredChunk;
    await store.put(ref.id, verifiedChunk(ref, stored), stored);
  });
  for (const each of await Promise.allSettled(kept)) if (each.status === 'rejected') throw each.reason;
}
