// What a transfer has done so far: bytes, rate over the last seconds, round trip.
import type { TransferFacts } from '../../shared/gen/aegir/v1/agent.ts';

export interface TransferProgress {
  /** Of the object that are here, before compression. */
  readonly bytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
}

export interface Tally {
  known(bytes: number, chunks: number, there: number): void;
  arrived(bytes: number, chunks: number): void;
  opened(): void;
  roundTrip(ms: number | undefined): void;
  /** That arrived. */
  bytes(): number;
  facts(complete: boolean): TransferFacts;
}

const EVERY_MS = 500;
const SAMPLES = 10;

export function createTally(onProgress: (progress: TransferProgress) => void, now: () => number): Tally {
  let [received, chunks, total, totalChunks, there] = [0, 0, 0, 0, 0];
  /** What had arrived when the object was looked at: it is among what is there. */
  let before = 0;
  let openedAt: number | undefined;
  let roundTrip: number | undefined;
  const samples: { readonly at: number; readonly bytes: number }[] = [];
  const tell = () => {
    const at = now();
    const last = samples.at(-1);
    if (last !== undefined && at - last.at < EVERY_MS) return;
    samples.push({ at, bytes: received });
    if (samples.length > SAMPLES) samples.shift();
    const first = samples[0] ?? { at, bytes: 0 };
    const seconds = (at - first.at) / 1000;
    const bytesPerSecond = seconds === 0 ? 0 : Math.round((received - first.bytes) / seconds);
    onProgress({ bytes: Math.min(total, there + received - before), totalBytes: total, bytesPerSecond });
  };
  return {
    known(bytes, count, known) {
      // Told with 0 when the object is looked at from its beginning.
      if (known === 0) before = received;
      there = known === 0 ? 0 : there + known;
      total = bytes;
      totalChunks = count;
    },
    arrived(bytes, count) {
      received += bytes;
      chunks += count;
      tell();
    },
    opened() {
      openedAt ??= now();
    },
    roundTrip(ms) {
      if (ms !== undefined) roundTrip = Math.min(roundTrip ?? ms, ms);
    },
    bytes: () => received,
    facts: (complete) => ({
      complete,
      receivedBytes: BigInt(received),
      objectBytes: BigInt(total),
      receivedChunks: BigInt(chunks),
      objectChunks: BigInt(totalChunks),
      millis: BigInt(Math.round(openedAt === undefined ? 0 : now() - openedAt)),
      roundTripMicros: BigInt(Math.round((roundTrip ?? 0) * 1000)),
    }),
  };
}
