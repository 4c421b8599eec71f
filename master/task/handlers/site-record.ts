// The steps that change a site's record: its state, and forgetting it with its secrets.
import { forgetSite } from '../forget-site.ts';
import type { StepHandler } from '../handler.ts';
import type { HandlerDeps } from '../parts.ts';

export function createSiteRecord({ store }: HandlerDeps): StepHandler<'site.record'> {
  return {
    kind: 'site.record',
    do: async (args) => {
      await store.sites.update(args.siteId, { state: args.to });
      return { is: 'done' };
    },
    undo: async (args) => {
      const { before } = args;
      if (before === 'absent') await store.transaction((tx) => forgetSite(tx, args.siteId));
      else if ((await store.sites.get(args.siteId)) !== undefined)
        await store.sites.update(args.siteId, { state: before });
      return { is: 'done' };
    },
    neverBegan: async ({ siteId, before }) => {
      if (before === 'absent') await store.transaction((tx) => forgetSite(tx, siteId));
    },
    givenUp: async (args) => {
      if ((await store.sites.get(args.siteId)) !== undefined)
        await store.sites.update(args.siteId, { state: 'failed' });
    },
  };
}

export function createSiteForget({ store }: HandlerDeps): StepHandler<'site.forget'> {
  return {
    kind: 'site.forget',
    do: async (args) => {
      await store.transaction((tx) => forgetSite(tx, args.siteId));
      return { is: 'done' };
    },
    undo: { none: 'what is removed cannot come back' },
  };
}
