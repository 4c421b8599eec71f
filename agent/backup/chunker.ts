// Cuts bytes into chunks where their content says so (FastCDC: a gear hash over a window of 32 bytes, harder to meet below
// the wanted size than above it), so that what is put in or taken out changes the chunks around it alone. Pure.
import { createHash } from 'node:crypto';
import { endianness } from 'node:os';
import type { ChunkSizes } from '../mesh/caibx.ts';
import { MAX_CHUNK_BYTES } from '../mesh/objects.ts';

/** A part's segments end chunks too, so the smallest is 1 byte. */
export const SIZES: ChunkSizes = { min: 1, average: 512 * 1024, max: MAX_CHUNK_BYTES };

const MIN = 64 * 1024;
// Bits at the top of the hash, on which the last 12 to 32 bytes have a say: 20 below the wanted size, 17 above.
const HARD = 0xfffff000 | 0;
const EASY = 0xffff8000 | 0;

export type CutPoint = (bytes: Uint8Array, from: number, to: number) => number;

/** Bytes that are looked at in one of four lanes before the hash of the lanes' ends is taken on. */
const LANE = 2048;
/** Older bytes have no say in the hash any more. */
const WINDOW = 32;

/**
 * Answers where the chunk ends that begins at from: at most 4 MiB on, at the latest at to. Where fewer than 4 MiB are given,
 * more bytes after to could end it elsewhere: then to must be the end.
 */
export function createCutPoint(): CutPoint {
  const gear = gearTable();
  let hash = 0;
  let words: Int32Array | undefined;
  let wordsOf: Uint8Array | undefined;
  const hashBefore = (bytes: Uint8Array, at: number): number => {
    let here = 0;
    for (let i = at - WINDOW; i < at; i++) here = ((here << 1) + (gear[bytes[i] as number] as number)) | 0;
    return here;
  };
  /**
   * Passes four lanes from a whole word on, unless the hash meets the mask in one of them: then nothing is passed. Each byte
   * of a lane waits for the one before; of four lanes at a time a processor does twice as much, and this is what a snapshot
   * does most.
   */
  const passes = (words: Int32Array, bytes: Uint8Array, at: number, mask: number): boolean => {
    const [of, from] = [LANE / 4, at >>> 2];
    let a = hash;
    let b = hashBefore(bytes, at + LANE);
    let c = hashBefore(bytes, at + 2 * LANE);
    let d = hashBefore(bytes, at + 3 * LANE);
    // Written out: as calls and loops it is half as fast.
    for (let word = from; word < from + of; word++) {
      const one = words[word] as number;
      const two = words[word + of] as number;
      const three = words[word + 2 * of] as number;
      const four = words[word + 3 * of] as number;
      a = ((a << 1) + (gear[one & 255] as number)) | 0;
      b = ((b << 1) + (gear[two & 255] as number)) | 0;
      c = ((c << 1) + (gear[three & 255] as number)) | 0;
      d = ((d << 1) + (gear[four & 255] as number)) | 0;
      if ((a & mask) === 0 || (b & mask) === 0 || (c & mask) === 0 || (d & mask) === 0) return false;
      a = ((a << 1) + (gear[(one >>> 8) & 255] as number)) | 0;
      b = ((b << 1) + (gear[(two >>> 8) & 255] as number)) | 0;
      c = ((c << 1) + (gear[(three >>> 8) & 255] as number)) | 0;
      d = ((d << 1) + (gear[(four >>> 8) & 255] as number)) | 0;
      if ((a & mask) === 0 || (b & mask) === 0 || (c & mask) === 0 || (d & mask) === 0) return false;
      a = ((a << 1) + (gear[(one >>> 16) & 255] as number)) | 0;
      b = ((b << 1) + (gear[(two >>> 16) & 255] as number)) | 0;
      c = ((c << 1) + (gear[(three >>> 16) & 255] as number)) | 0;
      d = ((d << 1) + (gear[(four >>> 16) & 255] as number)) | 0;
      if ((a & mask) === 0 || (b & mask) === 0 || (c & mask) === 0 || (d & mask) === 0) return false;
      a = ((a << 1) + (gear[one >>> 24] as number)) | 0;
      b = ((b << 1) + (gear[two >>> 24] as number)) | 0;
      c = ((c << 1) + (gear[three >>> 24] as number)) | 0;
      d = ((d << 1) + (gear[four >>> 24] as number)) | 0;
      if ((a & mask) === 0 || (b & mask) === 0 || (c & mask) === 0 || (d & mask) === 0) return false;
    }
    hash = d;
    return true;
  };
  const meetsOneByOne = (bytes: Uint8Array, from: number, to: number, mask: number): number => {
    let here = hash;
    for (let at = from; at < to; at++) {
      here = ((here << 1) + (gear[bytes[at] as number] as number)) | 0;
      if ((here & mask) === 0) return at + 1;
    }
    hash = here;
    return 0;
  };
  /** Where the hash first meets the mask; 0 when it does nowhere. */
  const meets = (bytes: Uint8Array, from: number, to: number, mask: number): number => {
    if (wordsOf !== bytes) {
      const { buffer, byteOffset, length } = bytes;
      words = byteOffset % 4 === 0 && IS_LITTLE ? new Int32Array(buffer, byteOffset, length >>> 2) : undefined;
      wordsOf = bytes;
    }
    let at = Math.min(to, (from + 3) & ~3);
    const early = meetsOneByOne(bytes, from, at, mask);
    if (early > 0) return early;
    while (words !== undefined && to - at >= 4 * LANE && passes(words, bytes, at, mask)) at += 4 * LANE;
    return meetsOneByOne(bytes, at, to, mask);
  };
  return (bytes, from, to) => {
    const end = Math.min(to, from + SIZES.max);
    const middle = Math.min(end, from + SIZES.average);
    const begin = from + MIN;
    hash = 0;
    return meets(bytes, begin, middle, HARD) || meets(bytes, Math.max(begin, middle), end, EASY) || end;
  };
}

const IS_LITTLE = endianness() === 'LE';

/** For each value of a byte the first four of the SHA-256 of that byte: chunks of all hosts and all times are cut alike. */
function gearTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) =>
    createHash('sha256').update(Uint8Array.of(byte)).digest().readInt32LE(0),
  );
}

export interface Chunking {
  /** Where the next bytes go: at least one, at most so many. Fill some of it and say how many. */
  room(most: number): Buffer;
  filled(bytes: number): void;
  write(bytes: Uint8Array): void;
  /** So many zeros: what they alone make is known without a look, and is given to emit as what zeroChunk answers. */
  zeros(count: number): void;
  /** What came since the last end is cut as a whole of its own. */
  end(): void;
  /** Forgets what came since the last end and was not given to emit. */
  reset(): void;
}

let zeroBytes: Buffer | undefined;
/** What zeros are cut into: nothing in them ends a chunk early. The same each time; nobody writes to it. */
export function zeroChunk(): Buffer {
  zeroBytes ??= Buffer.alloc(SIZES.max);
  return zeroBytes;
}

/** emit gets each chunk in order; it must not keep the bytes. */
export function createChunking(cutPoint: CutPoint, emit: (chunk: Buffer) => void): Chunking {
  const buffer = Buffer.allocUnsafeSlow(2 * SIZES.max);
  let from = 0;
  let to = 0;
  /** Of the last bytes so many are zeros, for sure. */
  let empty = 0;
  const cut = (least: number) => {
    while (to - from >= least) {
      const end = cutPoint(buffer, from, to);
      emit(buffer.subarray(from, end));
      from = end;
    }
  };
  const chunking: Chunking = {
    room(most) {
      if (to === buffer.length) {
        buffer.copyWithin(0, from, to);
        to -= from;
        from = 0;
      }
      return buffer.subarray(to, Math.min(buffer.length, to + most));
    },
    filled(bytes) {
      to += bytes;
      empty = 0;
      cut(SIZES.max);
    },
    write(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const room = chunking.room(bytes.length - at);
        room.set(bytes.subarray(at, at + room.length));
        at += room.length;
        chunking.filled(room.length);
      }
    },
    zeros(count) {
      for (let left = count; left > 0; ) {
        if (empty >= to - from) {
          const all = to - from + left;
          for (let whole = Math.floor(all / SIZES.max); whole > 0; whole--) emit(zeroChunk());
          [from, to, empty] = [0, all % SIZES.max, all % SIZES.max];
          buffer.fill(0, 0, to);
          return;
        }
        // What came before ends within the first of them.
        const room = chunking.room(left);
        room.fill(0);
        const before = empty;
        chunking.filled(room.length);
        empty = before + room.length;
        left -= room.length;
      }
    },
    end() {
      cut(1);
      chunking.reset();
    },
    reset() {
      [from, to, empty] = [0, 0, 0];
    },
  };
  return chunking;
}
