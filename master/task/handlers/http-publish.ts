// http.publish: the site on its http service, served or with a maintenance page.
import type { Served, StepArgs } from '../../plan/plan.ts';
import type { ActionRequest } from '../../session/agents.ts';
import type { StepHandler } from '../handler.ts';
import { requireNotHome } from '../home.ts';
import { type HandlerDeps, readParts, readServer, readService, refOf } from '../parts.ts';
import { perform, previewOn } from '../perform.ts';
import { httpSpec, upstreamSpec } from '../spec.ts';

type Args = StepArgs['http.publish'];
type Wanted = Pick<Args, 'siteId' | 'serviceId' | 'cron' | 'place' | 'upstream' | 'believes' | 'closed' | 'holds'>;

/** The site as its record is now. cron: undefined in plans of before there was any, when a site had one server. */
export async function httpRequest(
  deps: HandlerDeps,
  { siteId, serviceId, cron, place, upstream, believes, closed = false, holds = false }: Wanted,
  state: Served,
  preview: boolean,
): Promise<ActionRequest> {
  const parts = await readParts(deps, siteId, place);
  const value = httpSpec(parts, serviceId, state, cron ?? parts.front === null);
  if (state === 'moved' && upstream !== undefined) {
    const there = await readService(deps.store, upstream.http);
    value.upstream = upstreamSpec(there, await readServer(deps.store, there.serverId));
  }
  if (believes !== undefined) {
    const { facts } = await readServer(deps.store, believes);
    value.fronts = [...new Set([...value.fronts, ...facts.sourceAddresses])];
  }
  value.frontsOnly = closed && state === 'enabled';
  value.othersHeld = value.frontsOnly && holds;
  const service = await readService(deps.store, serviceId);
  return {
    $case: 'apply',
    value: { service: await refOf(deps, service), preview, spec: { $case: 'http', value } },
  };
}

export function createHttpPublish(deps: HandlerDeps): StepHandler<'http.publish'> {
  const request = (args: Args, state: Served, preview: boolean) => httpRequest(deps, args, state, preview);
  return {
    kind: 'http.publish',
    do: async (args, ctx) => {
      const { serverId } = await readService(deps.store, args.serviceId);
      await perform(deps, ctx, 'do', serverId, `site/${args.siteId}`, await request(args, args.state, false));
      return { is: 'done' };
    },
    undo: async (args, ctx) => {
      // It brought what is declared. What a change of that needs to come back, its restore step brings once the record is
      // what it was; until then the record may be the very thing that the web server refused.
      if (args.before === args.state) return { is: 'done' };
      if (args.before === 'absent') await requireNotHome(deps.store, args.siteId, args);
      const service = await readService(deps.store, args.serviceId);
      const back =
        args.before === 'absent'
          ? {
              $case: 'remove' as const,
              value: { service: await refOf(deps, service), siteId: args.siteId, preview: false, spec: undefined },
            }
          : await request(args, args.before, false);
      await perform(deps, ctx, 'undo', service.serverId, `site/${args.siteId}`, back);
      return { is: 'done' };
    },
    preview: async (args) => {
      const { serverId } = await readService(deps.store, args.serviceId);
      return previewOn(deps, serverId, await request(args, args.state, true));
    },
  };
}
