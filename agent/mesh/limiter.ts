// The limit of bytes a second that transfers share, and the one that a grant sets for its own.
import { type Bucket, fullBucket, takeFrom } from './bucket.ts';
import { pause } from './pause.ts';

export interface Limiter {
  /** Resolves when the bytes may be moved, first come first served. Rejects when signal is aborted. */
  take(bytes: number, signal: AbortSignal): Promise<void>;
}

/** What may be moved at once after a pause, in seconds' worth: short, so that a link is not flooded. */
const BURST_SECONDS = 0.1;

/** bytesPerSecond undefined: no limit. */
export function createLimiter(
  bytesPerSecond: number | undefined,
  now: () => number = () => performance.now(),
): Limiter {
  if (bytesPerSecond === undefined) return { take: async () => {} };
  let bucket: Bucket = fullBucket(bytesPerSecond, bytesPerSecond * BURST_SECONDS, now());
  return {
    async take(bytes, signal) {
      const taken = takeFrom(bucket, bytes, now());
      bucket = taken.bucket;
      if (taken.waitMs > 0) await pause(taken.waitMs, signal);
    },
  };
}

/** All of them apply. */
export function bothLimits(first: Limiter, second: Limiter): Limiter {
  return {
    take: async (bytes, signal) => {
      await Promise.all([first.take(bytes, signal), second.take(bytes, signal)]);
    },
  };
}
