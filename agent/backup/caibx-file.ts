// An index of chunks (.caibx, see mesh/caibx.ts) as the worker has it: written piece by piece, read at once.
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { AegirError } from '../../shared/error.ts';
import { encodeCaibx } from '../mesh/caibx.ts';
import { MAX_CHUNK_BYTES } from '../mesh/objects.ts';
import { SIZES } from './chunker.ts';

export const ID_BYTES = 32;
const ITEM_BYTES = 8 + ID_BYTES;
const HEADER_BYTES = 64;
const TAIL_BYTES = 40;
const WRITE_BYTES = 256 * 1024;

export interface IndexWriter {
  /** id: 32 bytes. */
  add(id: Uint8Array, size: number): void;
  /** Of all chunks together. */
  bytes(): number;
  count(): number;
  /** Answers the SHA-256 of the file. durable (default): it is when it returns. */
  finish(durable?: boolean): Buffer;
  /** Lets go of what was not finished. Repeatable. */
  close(): void;
}

export function createIndexWriter(path: string): IndexWriter {
  let file: number | undefined = openSync(path, 'w', 0o600);
  const hash = createHash('sha256');
  const pending = Buffer.allocUnsafeSlow(WRITE_BYTES);
  let held = 0;
  let end = 0;
  let count = 0;
  const flush = () => {
    const bytes = pending.subarray(0, held);
    hash.update(bytes);
    for (let at = 0; at < held; ) at += writeSync(file as number, bytes, at);
    held = 0;
  };
  const put = (bytes: Uint8Array) => {
    if (held + bytes.length > WRITE_BYTES) flush();
    pending.set(bytes, held);
    held += bytes.length;
  };
  // An index without a chunk has the same beginning, and an end that differs in one number.
  const empty = Buffer.from(encodeCaibx([], SIZES));
  put(empty.subarray(0, HEADER_BYTES));
  return {
    add(id, size) {
      end += size;
      count += 1;
      const item = Buffer.allocUnsafe(ITEM_BYTES);
      item.writeBigUInt64LE(BigInt(end), 0);
      item.set(id, 8);
      put(item);
    },
    bytes: () => end,
    count: () => count,
    finish(durable = true) {
      const tail = empty.subarray(HEADER_BYTES);
      tail.writeBigUInt64LE(tail.readBigUInt64LE(24) + BigInt(count * ITEM_BYTES), 24);
      put(tail);
      flush();
      if (durable) fsyncSync(file as number);
      this.close();
      return hash.digest();
    },
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}

export interface IndexFile {
  readonly count: number;
  /** Of all chunks together. */
  readonly bytes: number;
  /** 32 bytes; a view. */
  idAt(place: number): Buffer;
  /** Where the chunk at the place begins; of count: where all end. */
  offsetAt(place: number): number;
  sizeAt(place: number): number;
  /** The place whose chunk has the byte at the offset. */
  placeOf(offset: number): number;
}

/** Throws data_loss for a file that is no such index. 40 bytes of memory for each chunk. */
export function readIndex(path: string): IndexFile {
  const file = readFileSync(path);
  const damaged = (why: string) => new AegirError('data_loss', `cannot read the index ${path}: ${why}`);
  const room = file.length - HEADER_BYTES - TAIL_BYTES;
  if (room < 0 || room % ITEM_BYTES !== 0) throw damaged('its size is wrong');
  const count = room / ITEM_BYTES;
  const empty = Buffer.from(encodeCaibx([], SIZES));
  if (!file.subarray(8, 16).equals(empty.subarray(8, 16)) || !file.subarray(56, 64).equals(empty.subarray(56, 64)))
    throw damaged('it is none');
  if (!file.subarray(-8).equals(empty.subarray(-8))) throw damaged('its end is missing');
  const offsetAt = (place: number) =>
    place === 0 ? 0 : Number(file.readBigUInt64LE(HEADER_BYTES + (place - 1) * ITEM_BYTES));
  for (let place = 0; place < count; place++) {
    const size = offsetAt(place + 1) - offsetAt(place);
    if (!(size >= 1 && size <= MAX_CHUNK_BYTES)) throw damaged('a chunk has an impossible size');
  }
  return {
    count,
    bytes: offsetAt(count),
    offsetAt,
    idAt: (place) => file.subarray(HEADER_BYTES + place * ITEM_BYTES + 8, HEADER_BYTES + (place + 1) * ITEM_BYTES),
    sizeAt: (place) => offsetAt(place + 1) - offsetAt(place),
    placeOf(offset) {
      let low = 0;
      let high = count - 1;
      while (low < high) {
        const middle = (low + high + 1) >>> 1;
        if (offsetAt(middle) <= offset) low = middle;
        else high = middle - 1;
      }
      return low;
    },
  };
}

/** Finds chunks of an index by their id: 8 bytes of memory for each. */
export function createPlaces(index: IndexFile): (id: Uint8Array) => number | undefined {
  let slots = 16;
  while (slots < index.count * 2) slots *= 2;
  const table = new Int32Array(slots).fill(-1);
  const slotOf = (id: Uint8Array) =>
    (((id[0] as number) | ((id[1] as number) << 8) | ((id[2] as number) << 16) | ((id[3] as number) << 24)) >>> 0) &
    (slots - 1);
  const find = (id: Uint8Array): { readonly slot: number; readonly place: number } => {
    for (let slot = slotOf(id); ; slot = (slot + 1) & (slots - 1)) {
      const place = table[slot] as number;
      if (place < 0 || index.idAt(place).equals(id)) return { slot, place };
    }
  };
  for (let place = 0; place < index.count; place++) {
    const found = find(index.idAt(place));
    if (found.place < 0) table[found.slot] = place;
  }
  return (id) => {
    const { place } = find(id);
    return place < 0 ? undefined : place;
  };
}
