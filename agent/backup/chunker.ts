// Cuts bytes into chunks where their content says so (FastCDC: a gear hash over a window of 32 bytes, harder to meet below
// the wanted size than above it), so that what is put in or taken out changes the chunks around it alone. Pure.
import { createHash } from 'node:crypto';
import type { ChunkSizes } from '../mesh/caibx.ts';
import { MAX_CHUNK_BYTES } from '../mesh/objects.ts';

/** A part's segments end chunks too, so the smallest is 1 byte. */
export const SIZES: ChunkSizes = { min: 1, average: 512 * 1024, max: MAX_CHUNK_BYTES };

const MIN = 64 * 1024;
// Bits at the top of the hash, on which the last 12 to 32 bytes have a say: 20 below the wanted size, 17 above.
const HARD = 0xfffff000 | 0;
const EASY = 0xffff8000 | 0;

export type CutPoint = (bytes: Uint8Array, from: number, to: number) => number;

/**
 * Answers where the chunk ends that begins at from: at most 4 MiB on, at the latest at to. Where fewer than 4 MiB are given,
 * more bytes after to could end it elsewhere: then to must be the end.
 */
export function createCutPoint(): CutPoint {
  const gear = gearTable();
  let hash = 0;
  /** Where the hash first meets the mask; 0 when it does nowhere. Four bytes a turn: it is the most that a snapshot does. */
  const meets = (bytes: Uint8Array, from: number, to: number, mask: number): number => {
    let at = from;
    let here = hash;
    for (const turns = to - 3; at < turns; at += 4) {
      const one = ((here << 1) + (gear[bytes[at] as number] as number)) | 0;
      const two = ((one << 1) + (gear[bytes[at + 1] as number] as number)) | 0;
      const three = ((two << 1) + (gear[bytes[at + 2] as number] as number)) | 0;
      here = ((three << 1) + (gear[bytes[at + 3] as number] as number)) | 0;
      if ((one & mask) === 0) return at + 1;
      if ((two & mask) === 0) return at + 2;
      if ((three & mask) === 0) return at + 3;
      if ((here & mask) === 0) return at + 4;
    }
    for (; at < to; at++) {
      here = ((here << 1) + (gear[bytes[at] as number] as number)) | 0;
      if ((here & mask) === 0) return at + 1;
    }
    hash = here;
    return 0;
  };
  return (bytes, from, to) => {
    const end = Math.min(to, from + SIZES.max);
    const middle = Math.min(end, from + SIZES.average);
    const begin = from + MIN;
    hash = 0;
    return meets(bytes, begin, middle, HARD) || meets(bytes, Math.max(begin, middle), end, EASY) || end;
  };
}

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
  /** What came since the last end is cut as a whole of its own. */
  end(): void;
  /** Forgets what came since the last end and was not given to emit. */
  reset(): void;
}

/** emit gets each chunk in order; it must not keep the bytes. */
export function createChunking(cutPoint: CutPoint, emit: (chunk: Buffer) => void): Chunking {
  const buffer = Buffer.allocUnsafeSlow(2 * SIZES.max);
  let from = 0;
  let to = 0;
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
    end() {
      cut(1);
      chunking.reset();
    },
    reset() {
      from = 0;
      to = 0;
    },
  };
  return chunking;
}
