// How long a session waits for what, and how much it holds; tests shorten them.
export interface Timing {
  /** Until the first message. */
  readonly helloMs: number;
  /** Missed heartbeats that end a session. */
  readonly missed: number;
  /** Between two writes of lastSeenAt, before jitter. */
  readonly seenMs: number;
  /** Until a stream that takes nothing more is cut. */
  readonly stallMs: number;
  /** For the agent to answer a cancel. */
  readonly cancelMs: number;
  /** For an agent that has an order to come back after the order's expiry. */
  readonly reconnectMs: number;
  /** From an end to the cut of what did not end. */
  readonly cutMs: number;
}

export const TIMING: Timing = {
  helloMs: 10_000,
  missed: 3,
  seenMs: 15_000,
  stallMs: 30_000,
  cancelMs: 30_000,
  reconnectMs: 60_000,
  cutMs: 1_000,
};

/** Grows with the fleet, so that its heartbeats stay a trickle: 10 s for few, a minute for a thousand. */
export function heartbeatSeconds(connected: number): number {
  return Math.min(60, 10 + Math.floor(connected / 20));
}
