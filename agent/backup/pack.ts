// Chunks in one file, one after the other: written at its end, found by a table in memory. What a crash left at its end is
// cut off when it is opened again.
import { hash } from 'node:crypto';
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { AegirError } from '../../shared/error.ts';
import { MAX_CHUNK_BYTES, type StoredChunk } from '../mesh/objects.ts';
import { zstdPacked, zstdUnpacked } from '../mesh/zstd.ts';
import { ID_BYTES } from './caibx-file.ts';
import { worthOf } from './compressible.ts';
import { fullDisk } from './full-disk.ts';

export interface Pack {
  /** Descriptor, for a thread that reads where plainAt says. */
  readonly file: number;
  /** Where a chunk begins, of which so many bytes are kept as they are; undefined where they are not. */
  plainAt(id: Uint8Array, size: number): number | undefined;
  has(id: Uint8Array): boolean;
  /** Takes in a chunk, once; id is its SHA-256. Not durable until sync, but there for whoever reads. */
  put(id: Uint8Array, raw: Uint8Array): void;
  /** Throws data_loss when it is not there. */
  get(id: Uint8Array): StoredChunk;
  /** Reads it from an offset on into room, as much as that takes, where it is kept as it is; undefined where it is not. */
  getInto(id: Uint8Array, room: Buffer, offset?: number): Buffer | undefined;
  /** The same before compression, verified. */
  raw(id: Uint8Array): Buffer;
  /** Bytes before compression that were put since it was opened. */
  added(): number;
  sync(): void;
  /** Nothing of it is there any more, and what was not on the disk yet never gets there. */
  forget(): void;
  /** Repeatable. */
  close(): void;
}

export interface PackOptions {
  /** Keeps them by zstd where that saves room; otherwise as they are. */
  readonly compress: boolean;
  /** Believes what a former run left only after comparing digests. */
  readonly verify: boolean;
}

interface Place {
  readonly at: number;
  readonly stored: number;
  readonly raw: number;
  readonly packed: boolean;
}

const MAGIC = 0x6b504541;
const HEAD_BYTES = 16 + ID_BYTES;

export function openPack(path: string, { compress, verify }: PackOptions): Pack {
  const file = openSync(path, 'a+', 0o600);
  const places = new Map<string, Place>();
  let end = 0;
  let added = 0;
  let open = true;
  const keyOf = (id: Uint8Array) => Buffer.from(id.buffer, id.byteOffset, ID_BYTES).toString('latin1');
  const read = (at: number, length: number, bytes: Buffer = Buffer.allocUnsafe(length)): Buffer => {
    for (let done = 0; done < length; ) {
      const count = readSync(file, bytes, done, length - done, at + done);
      if (count === 0) throw damaged(path);
      done += count;
    }
    return bytes;
  };
  const rawAt = (id: Uint8Array, { at, stored, raw, packed }: Place): Buffer => {
    const bytes = read(at, stored);
    const chunk = packed ? unpacked(bytes, raw) : bytes;
    if (chunk.length !== raw || !hash('sha256', chunk, 'buffer').equals(id)) throw damaged(path);
    return chunk;
  };

  const { size } = fstatSync(file);
  while (end + HEAD_BYTES <= size) {
    const head = read(end, HEAD_BYTES);
    const [stored, raw, packed] = [head.readUInt32LE(4), head.readUInt32LE(8), head.readUInt32LE(12)];
    const place = { at: end + HEAD_BYTES, stored, raw, packed: packed === 1 };
    const fits = raw >= 1 && raw <= MAX_CHUNK_BYTES && stored <= raw && place.at + stored <= size;
    if (head.readUInt32LE(0) !== MAGIC || !fits) break;
    const id = head.subarray(16);
    if (!verify || isWhole(() => rawAt(id, place))) places.set(keyOf(id), place);
    end = place.at + stored;
  }
  if (end < size) ftruncateSync(file, end);

  const placeOf = (id: Uint8Array): Place => {
    const place = places.get(keyOf(id));
    if (place === undefined) throw damaged(path);
    return place;
  };
  return {
    file,
    plainAt(id, size) {
      const place = places.get(keyOf(id));
      return place !== undefined && !place.packed && place.stored === size ? place.at : undefined;
    },
    has: (id) => places.has(keyOf(id)),
    put(id, raw) {
      if (places.has(keyOf(id))) return;
      const { compression, bytes } = compress ? packedChunk(raw) : { compression: 'none' as const, bytes: raw };
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeUInt32LE(MAGIC, 0);
      head.writeUInt32LE(bytes.length, 4);
      head.writeUInt32LE(raw.length, 8);
      head.writeUInt32LE(compression === 'zstd' ? 1 : 0, 12);
      head.set(id, 16);
      fullDisk(path, () => {
        try {
          writeAll(file, head);
          writeAll(file, bytes);
        } catch (thrown) {
          ftruncateSync(file, end);
          throw thrown;
        }
      });
      places.set(keyOf(id), {
        ...{ at: end + HEAD_BYTES, stored: bytes.length, raw: raw.length, packed: compression === 'zstd' },
      });
      end += HEAD_BYTES + bytes.length;
      added += raw.length;
    },
    get(id) {
      const { at, stored, packed } = placeOf(id);
      return { compression: packed ? 'zstd' : 'none', bytes: read(at, stored) };
    },
    getInto(id, room, offset = 0) {
      const { at, stored, packed } = placeOf(id);
      if (packed) return undefined;
      const length = Math.min(room.length, stored - offset);
      return read(at + offset, length, room.subarray(0, length));
    },
    raw: (id) => rawAt(id, placeOf(id)),
    added: () => added,
    sync: () => fullDisk(path, () => fdatasyncSync(file)),
    forget() {
      ftruncateSync(file, 0);
      places.clear();
      end = 0;
    },
    close() {
      if (open) closeSync(file);
      open = false;
    },
  };
}

const GOOD = 1;
/** Passes over noise twice as fast, and finds what lies between. */
const HASTY = -10;

/** By zstd where that saves something. */
export function packedChunk(raw: Uint8Array): StoredChunk {
  const worth = worthOf(raw);
  if (worth === 'nothing') return { compression: 'none', bytes: raw };
  const bytes = zstdPacked(raw, worth === 'little' ? HASTY : GOOD);
  return bytes.length < raw.length ? { compression: 'zstd', bytes } : { compression: 'none', bytes: raw };
}

/** As a zstd frame, whether that saves something or not. */
export function framed(raw: Uint8Array): Uint8Array {
  return zstdPacked(raw, worthOf(raw) === 'much' ? GOOD : HASTY);
}

function unpacked(bytes: Buffer, raw: number): Buffer {
  try {
    return zstdUnpacked(bytes, raw);
  } catch (cause) {
    throw new AegirError('data_loss', 'cannot read a chunk: it is damaged', { cause });
  }
}

function isWhole(read: () => Buffer): boolean {
  try {
    read();
    return true;
  } catch (thrown) {
    if (thrown instanceof AegirError) return false;
    throw thrown;
  }
}

function damaged(path: string): AegirError {
  return new AegirError('data_loss', `cannot read a chunk of ${path}: it is not there, or damaged`);
}

export function writeAll(file: number, bytes: Uint8Array, at?: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, bytes.length - done, at === undefined ? null : at + done);
  }
}
