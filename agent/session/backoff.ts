// How long to wait between attempts: nothing at first, then growing with full jitter, within bounds.
export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  /** From 0 to below 1. */
  readonly random: () => number;
}

export interface Backoff {
  /** Milliseconds to wait before the next attempt. */
  next(): number;
  /** It went well: the next attempt is immediate again. */
  reset(): void;
}

export function createBackoff({ minMs, maxMs, random }: BackoffOptions): Backoff {
  let failures = 0;
  return {
    next() {
      failures += 1;
      if (failures === 1) return 0;
      const most = Math.min(maxMs, minMs * 2 ** Math.min(failures - 1, 20));
      return Math.round(minMs + random() * (most - minMs));
    },
    reset() {
      failures = 0;
    },
  };
}
