// A db engine in memory for tests of the runtime: every plan is one change that the test lets go on or fail.
import type { ActionContext, Engine } from '../engine/engine.ts';

export interface FakeRun {
  readonly ctx: ActionContext;
  finish(): void;
  fail(error: Error): void;
}

export interface FakeEngine extends Engine<'db'> {
  readonly runs: FakeRun[];
  /** The nth change (from 1), once it runs. */
  run(nth: number): Promise<FakeRun>;
}

export function createFakeEngine(summary = 'make database'): FakeEngine {
  const runs: FakeRun[] = [];
  let waiters: (() => void)[] = [];
  return {
    type: 'db',
    name: 'fake',
    capabilities: new Set(),
    runs,
    async run(nth) {
      for (;;) {
        const found = runs[nth - 1];
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => {
          waiters = [...waiters, resolve];
        });
      }
    },
    detect: async () => [],
    inspect: async () => [],
    remove: async () => [],
    plan: async () => [
      {
        summary,
        run: (ctx) =>
          new Promise<void>((resolve, reject) => {
            runs.push({ ctx, finish: resolve, fail: reject });
            ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason));
            for (const wake of waiters.splice(0)) wake();
          }),
      },
    ],
  };
}
