// How often and how long things are tried.

export interface Limits {
  /** Tasks at work at once. */
  readonly tasks: number;
  readonly leaseMs: number;
  /** How often a step that failed for a passing reason is tried in all. */
  readonly attempts: number;
  /** And for how long at most: since it began, or got on last. */
  readonly retryForMs: number;
  readonly firstBackoffMs: number;
  readonly maxBackoffMs: number;
  /** What a hold, or a cancel, cuts short is asked to stop; one that has not answered after so long is left behind. */
  readonly cutMs: number;
  /** Undoing is cut short by a cancel when nothing was heard of it for so long. */
  readonly quietMs: number;
}

export const LIMITS: Limits = {
  tasks: 16,
  leaseMs: 15_000,
  attempts: 5,
  retryForMs: 5 * 60_000,
  firstBackoffMs: 1000,
  maxBackoffMs: 30_000,
  cutMs: 3_000,
  quietMs: 10_000,
};

/** Milliseconds before attempt number `after` + 1. */
export function backoffMs(limits: Limits, after: number): number {
  return Math.min(limits.maxBackoffMs, limits.firstBackoffMs * 2 ** Math.min(after - 1, 20));
}
