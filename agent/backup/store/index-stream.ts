// Indexes of chunks (.caibx, see mesh/caibx.ts) that pass through: read as they come, joined, and cut apart, without ever
// being whole in memory.
import { createHash } from 'node:crypto';
import { AegirError } from '../../../shared/error.ts';
import { encodeCaibx } from '../../mesh/caibx.ts';
import { type ChunkRef, MAX_CHUNK_BYTES } from '../../mesh/objects.ts';

const HEAD = 64;
const ITEM = 40;
const TAIL = 40;
const EMPTY = Buffer.from(encodeCaibx([], { min: 0, average: 0, max: 0 }));

export interface IndexReading {
  /** Beginning of the file: it says how chunks were cut. */
  readonly head: Buffer;
  /** In order. Throws data_loss when the file turns out to be damaged, or cut off. */
  readonly batches: AsyncIterable<readonly ChunkRef[]>;
}

/** what: for messages, as "index of bak-…". Throws data_loss for what is no index. */
export async function readIndex(pieces: AsyncIterable<Uint8Array>, what: string): Promise<IndexReading> {
  const damaged = (why: string) => new AegirError('data_loss', `cannot read the ${what}: it is damaged: ${why}`);
  const source = pieces[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  const more = async (): Promise<boolean> => {
    const next = await source.next();
    if (next.done === true) return false;
    held = Buffer.concat([held, next.value]);
    return true;
  };
  while (held.length < HEAD) if (!(await more())) throw damaged('it is cut off');
  const head = Buffer.from(held.subarray(0, HEAD));
  held = held.subarray(HEAD);
  if (!head.subarray(8, 16).equals(EMPTY.subarray(8, 16)) || !head.subarray(56).equals(EMPTY.subarray(56, HEAD))) {
    await source.return?.();
    throw damaged('it is none');
  }
  async function* batches(): AsyncIterable<readonly ChunkRef[]> {
    let end = 0;
    try {
      for (;;) {
        // What may still be the end of the file waits.
        const whole = Math.floor((held.length - TAIL) / ITEM);
        const refs: ChunkRef[] = [];
        for (let at = 0; at < whole * ITEM; at += ITEM) {
          const next = Number(held.readBigUInt64LE(at));
          const size = next - end;
          if (!(size >= 1 && size <= MAX_CHUNK_BYTES)) throw damaged('a chunk has an impossible size');
          refs.push({ id: held.toString('hex', at + 8, at + ITEM), size });
          end = next;
        }
        if (whole > 0) held = held.subarray(whole * ITEM);
        if (refs.length > 0) yield refs;
        if (!(await more())) break;
      }
    } finally {
      await source.return?.();
    }
    const good = held.length === TAIL && held.readBigUInt64LE(0) === 0n && held.subarray(32).equals(EMPTY.subarray(-8));
    if (!good) throw damaged('its end is missing');
  }
  return { head, batches: batches() };
}

/** The file of an index of so many chunks. */
export async function* writeIndex(
  head: Buffer,
  count: number,
  batches: AsyncIterable<readonly ChunkRef[]> | Iterable<readonly ChunkRef[]>,
): AsyncIterable<Uint8Array> {
  yield head;
  let end = 0;
  for await (const refs of batches) {
    const items = Buffer.alloc(refs.length * ITEM);
    for (const [i, { id, size }] of refs.entries()) {
      end += size;
      items.writeBigUInt64LE(BigInt(end), i * ITEM);
      items.write(id, i * ITEM + 8, 'hex');
    }
    yield items;
  }
  const tail = Buffer.from(EMPTY.subarray(HEAD));
  tail.writeBigUInt64LE(BigInt(16 + count * ITEM + TAIL), 24);
  yield tail;
}

/** Chunks of an index whose file has so many bytes. */
export function countIn(fileBytes: number): number {
  return Math.max(0, Math.floor((fileBytes - HEAD - TAIL) / ITEM));
}

/** So many chunks from a place on, of an index that is read. */
export async function* cut(
  batches: AsyncIterable<readonly ChunkRef[]>,
  first: number,
  count: number,
): AsyncIterable<readonly ChunkRef[]> {
  let at = 0;
  for await (const refs of batches) {
    const part = refs.slice(Math.max(0, first - at), Math.max(0, first + count - at));
    at += refs.length;
    if (part.length > 0) yield part;
  }
}

/** Passes pieces on, and tells the SHA-256 of all of them at the end. */
export function hashed(pieces: AsyncIterable<Uint8Array>): {
  readonly pieces: AsyncIterable<Uint8Array>;
  digest(): Buffer;
} {
  const hash = createHash('sha256');
  async function* pass(): AsyncIterable<Uint8Array> {
    for await (const piece of pieces) {
      hash.update(piece);
      yield piece;
    }
  }
  return { pieces: pass(), digest: () => hash.digest() };
}
