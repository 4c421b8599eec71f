// Named timers that end together: a session's heartbeat, renewal, deadlines.
const MAX_MS = 2 ** 31 - 1; // setTimeout fires at once for more

export interface Timers {
  /** Once; a later call of the same name replaces it. */
  at(name: string, ms: number, work: () => void): void;
  /** Again and again; the time is asked for before each. */
  every(name: string, ms: () => number, work: () => void): void;
  cancel(name: string): void;
  clear(): void;
}

export function createTimers(): Timers {
  const timers = new Map<string, NodeJS.Timeout>();
  let cleared = false;
  const at = (name: string, ms: number, work: () => void) => {
    clearTimeout(timers.get(name));
    if (cleared) return;
    const fire = ms > MAX_MS ? () => at(name, ms - MAX_MS, work) : work;
    timers.set(name, setTimeout(fire, Math.min(ms, MAX_MS)));
  };
  const every = (name: string, ms: () => number, work: () => void) => {
    at(name, ms(), () => {
      work();
      every(name, ms, work);
    });
  };
  return {
    at,
    every,
    cancel(name) {
      clearTimeout(timers.get(name));
      timers.delete(name);
    },
    clear() {
      cleared = true;
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}
