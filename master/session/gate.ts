// Bounds work that anybody may ask for: so many at a time, so many waiting, the rest are sent away.
import { AegirError } from '../../shared/error.ts';

export interface Gate {
  /** Throws resource_exhausted when too many wait. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

export function createGate(atOnce: number, maxWaiting: number, doing: string): Gate {
  let running = 0;
  const waiting: (() => void)[] = [];
  return {
    async run(work) {
      if (running >= atOnce) {
        if (waiting.length >= maxWaiting) {
          throw new AegirError('resource_exhausted', `cannot ${doing}: too many ask at once; try again in a minute`, {
            retryable: true,
          });
        }
        // Whoever leaves hands its place on, so that nobody else slips in between.
        await new Promise<void>((resolve) => waiting.push(resolve));
      } else {
        running += 1;
      }
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}
