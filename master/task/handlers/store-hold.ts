// store.hold and store.release: see store-hold.ts beside the runner.
import { AegirError } from '../../../shared/error.ts';
import type { StepHandler } from '../handler.ts';
import type { HandlerDeps } from '../parts.ts';
import { holdStores, releaseStores } from '../store-hold.ts';

const LOOK_AGAIN_MS = 2_000;

export function createStoreHold({ store }: HandlerDeps): StepHandler<'store.hold'> {
  return {
    kind: 'store.hold',
    do: async ({ places, mode, services }, ctx) => {
      const others = await holdStores(store, ctx.taskId, places, mode, services);
      if (others.length === 0) return { is: 'done' };
      return {
        is: 'wait',
        at: ctx.now() + LOOK_AGAIN_MS,
        why: `the store is in use by ${others.slice(0, 3).join(', ')}`,
      };
    },
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
    undo: async ({ places, mode }, ctx) => {
      const others = await holdStores(store, ctx.taskId, places, mode);
      if (others.length === 0) return { is: 'done' };
      throw new AegirError('unavailable', `cannot use the store yet: ${others.slice(0, 3).join(', ')} works there`);
    },
  };
}
