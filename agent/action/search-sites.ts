// What services have of Aegir's sites, as its things are named there, whichever sites the master knows.
import type { FoundSite, FoundSites } from '../../shared/gen/aegir/v1/agent.ts';
import type { ServiceRef } from '../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext } from '../engine/engine.ts';
import { engineFor, type Tools } from './action.ts';

const MOST = 5000;

/** A service that cannot be looked into has nothing to say here: its own check says why. */
export async function searchSites(
  services: readonly ServiceRef[],
  ctx: ActionContext,
  tools: Tools,
): Promise<FoundSites> {
  const sites: FoundSite[] = [];
  for (const service of services) {
    ctx.signal.throwIfAborted();
    try {
      const seen = await engineFor(tools, service).inspect(service, ctx);
      sites.push(...seen.map(({ siteId, what }) => ({ serviceId: service.id, siteId, what })));
    } catch (error) {
      ctx.signal.throwIfAborted();
      ctx.log(
        'warn',
        `cannot look into ${service.engine} for sites: ${error instanceof Error ? error.message : error}`,
      );
    }
  }
  return { sites: sites.slice(0, MOST) };
}
