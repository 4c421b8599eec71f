// db.create: the site's database with its user.
import type { StepArgs } from '../../plan/plan.ts';
import type { ActionRequest } from '../../session/agents.ts';
import type { StepHandler } from '../handler.ts';
import { requireNotHome } from '../home.ts';
import { type HandlerDeps, readParts, readServer, readService, refOf } from '../parts.ts';
import { perform, previewOn } from '../perform.ts';
import { dbSpec } from '../spec.ts';

/** The database as the records are now. without: a web server that shall not use it. */
export async function dbRequest(
  deps: HandlerDeps,
  { serviceId, siteId, before, place, also = [] }: StepArgs['db.create'],
  preview: boolean,
  without = '',
): Promise<ActionRequest> {
  const service = await readService(deps.store, serviceId);
  const parts = await readParts(deps, siteId, place);
  const servers = parts.servers.filter((each) => each.service.id !== without);
  const value = dbSpec({ ...parts, servers }, before === 'present');
  for (const id of also) {
    const other = await readService(deps.store, id);
    const server = await readServer(deps.store, other.serverId);
    // Each as it would be alone: one of them may come by the socket.
    const alone = dbSpec({ ...parts, servers: [{ service: other, server, sharedRoot: '', leaving: false }] }, true);
    value.from = [...new Set([...value.from, ...alone.from])];
  }
  return { $case: 'apply', value: { service: await refOf(deps, service), preview, spec: { $case: 'db', value } } };
}

export function createDbCreate(deps: HandlerDeps): StepHandler<'db.create'> {
  const request = (args: StepArgs['db.create'], preview: boolean) => dbRequest(deps, args, preview);
  return {
    kind: 'db.create',
    do: async (args, ctx) => {
      const { serverId } = await readService(deps.store, args.serviceId);
      await perform(deps, ctx, 'do', serverId, `site/${args.siteId}`, await request(args, false));
      return { is: 'done' };
    },
    undo: async (args, ctx) => {
      if (args.before === 'present') return { is: 'done' };
      await requireNotHome(deps.store, args.siteId, args);
      const service = await readService(deps.store, args.serviceId);
      await perform(deps, ctx, 'undo', service.serverId, `site/${args.siteId}`, {
        $case: 'remove',
        value: { service: await refOf(deps, service), siteId: args.siteId, preview: false, spec: undefined },
      });
      return { is: 'done' };
    },
    preview: async (args) => {
      const { serverId } = await readService(deps.store, args.serviceId);
      return previewOn(deps, serverId, await request(args, true));
    },
  };
}
