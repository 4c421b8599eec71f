// store.hold and store.release: see store-hold.ts beside the runner.

import type { StepHandler } from '../handler.ts';
import { holdNow, waitForStores } from '../hold-again.ts';
import type { HandlerDeps } from '../parts.ts';
import { releaseStores } from '../store-hold.ts';

export function createStoreHold({ store }: HandlerDeps): StepHandler<'store.hold'> {
  return {
    kind: 'store.hold',
    do: async (args, ctx) => (await waitForStores(store, ctx, args)) ?? { is: 'done' },
    undo: async ({ places }, ctx) => {
      await releaseStores(store, ctx.taskId, places);
      return { is: 'done' };
    },
  };
}

export function createStoreRelease({ store }: HandlerDeps): StepHandler<'store.release'> {
  return {
    kind: 'store.release',
    do: async ({ places }, ctx) => {
      await releaseStores(store, ctx.taskId, places);
      return { is: 'done' };
    },
    // What is undone before it may have to read the store again.
    undo: async ({ places, mode, forGood }, ctx) => {
      if (forGood !== true) await holdNow(store, ctx.taskId, { places, mode });
      return { is: 'done' };
    },
  };
}
