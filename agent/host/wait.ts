// Waits for a condition of the outside world that tells nobody when it comes true, within a bound.
import { setTimeout as pause } from 'node:timers/promises';

/** Asks `check` every so often until it answers true; false when `ms` have passed. Throws what check throws. */
export async function waitUntil(check: () => Promise<boolean> | boolean, ms: number, everyMs = 25): Promise<boolean> {
  const end = performance.now() + ms;
  for (;;) {
    if (await check()) return true;
    if (performance.now() >= end) return false;
    await pause(everyMs);
  }
}
