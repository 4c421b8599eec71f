// How long an action may do nothing: ends what hangs for good, however short it was at work, and nothing that is only large.
export interface Patience {
  /** Aborted when it was too long. */
  readonly signal: AbortSignal;
  /** It got on: the time begins anew. */
  gotOn(): void;
  /** It has ended. */
  close(): void;
}

/** ms: from the beginning, or from when it last got on. */
export function createPatience(ms: number): Patience {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), ms);
  timer.unref();
  return {
    signal: over.signal,
    gotOn: () => void timer.refresh(),
    close: () => clearTimeout(timer),
  };
}
