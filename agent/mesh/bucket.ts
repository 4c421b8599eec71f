// A token bucket as a value: how long who wants to move so many bytes now has to wait. Pure.

export interface Bucket {
  /** Bytes a second. */
  readonly rate: number;
  /** Most bytes that may be moved at once after a pause. */
  readonly burst: number;
  /** Bytes that may be moved now; below 0, what is owed. */
  readonly level: number;
  /** When level was so, ms. */
  readonly at: number;
}

export function fullBucket(rate: number, burst: number, now: number): Bucket {
  return { rate, burst, level: burst, at: now };
}

/**
 * Takes the bytes in any case and says after how many ms they may be moved: whoever asks later waits behind them, so
 * that nobody starves. A clock that goes back gives nothing.
 */
export function takeFrom(bucket: Bucket, bytes: number, now: number): { bucket: Bucket; waitMs: number } {
  const elapsed = Math.max(0, now - bucket.at);
  const level = Math.min(bucket.burst, bucket.level + (elapsed * bucket.rate) / 1000) - bytes;
  return {
    bucket: { ...bucket, level, at: Math.max(now, bucket.at) },
    waitMs: level >= 0 ? 0 : (-level * 1000) / bucket.rate,
  };
}
