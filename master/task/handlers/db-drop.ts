// db.drop: removes the site's database and its user. db.free: asks whether that can be done, and does nothing.
import type { StepHandler } from '../handler.ts';
import { type HandlerDeps, readService, refOf } from '../parts.ts';
import { perform, previewOn } from '../perform.ts';

interface Args {
  readonly serviceId: string;
  readonly siteId: string;
}

async function removal(deps: HandlerDeps, { serviceId, siteId }: Args, preview: boolean) {
  const service = await readService(deps.store, serviceId);
  const value = { service: await refOf(deps, service), siteId, preview, spec: undefined };
  return { serverId: service.serverId, request: { $case: 'remove' as const, value } };
}

export function createDbDrop(deps: HandlerDeps): StepHandler<'db.drop'> {
  return {
    kind: 'db.drop',
    do: async (args, ctx) => {
      const { serverId, request } = await removal(deps, args, false);
      await perform(deps, ctx, 'do', serverId, `site/${args.siteId}`, request);
      return { is: 'done' };
    },
    undo: { none: 'what is removed cannot come back' },
    preview: async (args) => {
      const { serverId, request } = await removal(deps, args, true);
      return previewOn(deps, serverId, request);
    },
  };
}

export function createDbFree(deps: HandlerDeps): StepHandler<'db.free'> {
  return {
    kind: 'db.free',
    do: async (args, ctx) => {
      const { serverId, request } = await removal(deps, args, true);
      await perform(deps, ctx, 'do', serverId, `site/${args.siteId}`, request);
      return { is: 'done' };
    },
    undo: { none: 'it only looks' },
    // What is dropped the step that does it shows.
    preview: async (args) => {
      const { serverId, request } = await removal(deps, args, true);
      await previewOn(deps, serverId, request);
      return [];
    },
  };
}
