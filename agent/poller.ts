// Does something every so often, with jitter so that a fleet does not do it at once, and soon when poked.
const POKE_MS = 500; // several changes in a row are one reason to look
const JITTER = 0.2;

export interface PollerOptions {
  readonly intervalMs: number;
  work(): Promise<void>;
  onError(error: unknown): void;
}

export interface Poller {
  start(): void;
  poke(): void;
  setInterval(ms: number): void;
  /** What runs now ends by itself. */
  stop(): void;
}

export function createPoller(options: PollerOptions): Poller {
  let intervalMs = options.intervalMs;
  let timer: NodeJS.Timeout | undefined;
  let running = false;
  let again = false;
  let started = false;
  let poked = false;

  const arm = (ms: number) => {
    clearTimeout(timer);
    if (started) timer = setTimeout(() => void tick(), ms);
  };
  const tick = async () => {
    if (running) {
      again = true;
      return;
    }
    running = true;
    poked = false;
    try {
      await options.work();
    } catch (error) {
      options.onError(error);
    } finally {
      running = false;
    }
    arm(again ? POKE_MS : jittered(intervalMs, JITTER));
    again = false;
  };

  return {
    start() {
      started = true;
      arm(jittered(intervalMs, JITTER));
    },
    poke() {
      if (running) again = true;
      else if (!poked) arm(POKE_MS); // a second poke must not put the look off
      poked = !running;
    },
    setInterval(ms) {
      if (ms === intervalMs) return;
      intervalMs = ms;
      if (!running) arm(jittered(ms, JITTER));
    },
    stop() {
      started = false;
      clearTimeout(timer);
    },
  };
}

/** ms changed by up to the share, either way. */
export function jittered(ms: number, share: number): number {
  return Math.round(ms * (1 + share * (2 * Math.random() - 1)));
}
