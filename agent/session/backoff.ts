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

// Slow growth: a master that restarts is away for seconds, and its agents are back soon after it.
const GROWTH = 1.3;

export function createBackoff({ minMs, maxMs, random }: BackoffOptions): Backoff {
  let failures = 0;
  return {
    next() {
      failures += 1;
      if (failures === 1) return 0;
      const most = Math.min(maxMs, minMs * GROWTH ** Math.min(failures - 1, 50));
      return Math.round(minMs + random() * (most - minMs));
    },
    reset() {
      failures = 0;
    },
  };
}
