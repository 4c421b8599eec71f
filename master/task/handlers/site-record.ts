// The steps that change a site's record: its state, and forgetting it with its secrets.
import type { SiteRecord } from '../../store/model.ts';
import type { Tx } from '../../store/store.ts';
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
      if (before === 'absent') await store.transaction((tx) => forget(tx, args.siteId));
      else if ((await store.sites.get(args.siteId)) !== undefined)
        await store.sites.update(args.siteId, { state: before });
      return { is: 'done' };
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
      await store.transaction((tx) => forget(tx, args.siteId));
      return { is: 'done' };
    },
    undo: { none: 'what is removed cannot come back' },
  };
}

/** Repeatable: the second time there is nothing. */
async function forget(tx: Tx, siteId: string): Promise<void> {
  const site: SiteRecord | undefined = await tx.sites.get(siteId);
  if (site === undefined) return;
  await tx.sites.delete(siteId);
  const keys = [site.certificate?.keySecret, site.issuing?.keySecret];
  const secrets = [site.saltSecret, site.dbPasswordSecret, ...keys, site.auth?.probe];
  for (const { secret } of site.auth?.users ?? []) await tx.secrets.delete(secret);
  for (const secret of secrets) if (typeof secret === 'string') await tx.secrets.delete(secret);
}
