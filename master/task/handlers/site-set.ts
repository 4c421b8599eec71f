// The steps that change how a site is served: its record, and what brings the old way back when the task fails.
import type { SiteValues } from '../../plan/plan.ts';
import type { ActionRequest } from '../../session/agents.ts';
import type { StepHandler } from '../handler.ts';
import { type HandlerDeps, readService } from '../parts.ts';
import { perform } from '../perform.ts';
import { dbRequest } from './db-create.ts';
import { dnsRequest } from './dns.ts';
import { httpRequest } from './http-publish.ts';
import { prepareRequest } from './site-host.ts';

export function createSiteSet({ store }: HandlerDeps): StepHandler<'site.set'> {
  const bring = (siteId: string, to: SiteValues) =>
    store.transaction(async (tx) => {
      if ((await tx.sites.get(siteId)) !== undefined) await tx.sites.update(siteId, to);
    });
  return {
    kind: 'site.set',
    do: async (args) => {
      await bring(args.siteId, args.to);
      return { is: 'done' };
    },
    undo: async (args) => {
      await bring(args.siteId, args.before);
      return { is: 'done' };
    },
  };
}

/** Secrets that came with the task were saved with it; they go when it fails, whatever step it came to. */
export function createSecretsKeep({ store }: HandlerDeps): StepHandler<'secrets.keep'> {
  const forget = async (secretIds: readonly string[]) => {
    for (const id of secretIds) await store.secrets.delete(id);
  };
  return {
    kind: 'secrets.keep',
    do: async () => ({ is: 'done' }),
    undo: async ({ secretIds }) => {
      await forget(secretIds);
      return { is: 'done' };
    },
    neverBegan: ({ secretIds }) => forget(secretIds),
  };
}

/**
 * Stands before everything that changes how a site is served. Doing it does nothing; undone it comes last, when the
 * record is what it was, and brings the host to it.
 */
export function createSiteRestore(deps: HandlerDeps): StepHandler<'site.restore'> {
  return {
    kind: 'site.restore',
    do: async () => ({ is: 'done' }),
    undo: async ({ siteId, part }, ctx) => {
      const restore = (serverId: string, request: ActionRequest) =>
        perform(deps, ctx, 'undo', serverId, `site/${siteId}`, request);
      if (part.of === 'http') {
        const { serverId } = await readService(deps.store, part.serviceId);
        await restore(
          serverId,
          await httpRequest(deps, { siteId, serviceId: part.serviceId, cron: part.cron }, part.state, false),
        );
      } else if (part.of === 'files') {
        await restore(part.serverId, await prepareRequest(deps, siteId, part.serverId, false));
      } else if (part.of === 'db') {
        const { serverId } = await readService(deps.store, part.serviceId);
        await restore(serverId, await dbRequest(deps, { ...part, siteId, before: 'present' }, false, part.without));
      } else {
        const { serverId, request } = await dnsRequest(deps, 'apply', { ...part, siteId }, false);
        await restore(serverId, request);
      }
      return { is: 'done' };
    },
  };
}
