// What this server has of Aegir's sites: services, as its things are named there, and the directories that they lie in;
// whichever sites the master knows.
import { join } from 'node:path';
import type { FoundSite, FoundSites } from '../../shared/gen/aegir/v1/agent.ts';
import type { ServiceRef } from '../../shared/gen/aegir/v1/spec.ts';
import { isId } from '../../shared/id.ts';
import type { ActionContext } from '../engine/engine.ts';
import { engineFor, type Tools } from './action.ts';

const MOST = 5000;

/** A service that cannot be looked into has nothing to say here: its own check says why. */
export async function searchSites(
  services: readonly ServiceRef[],
  ctx: ActionContext,
  tools: Tools,
): Promise<FoundSites> {
  const sites: FoundSite[] = [...(await directories(ctx))];
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

/** Without a service. */
async function directories({ host }: ActionContext): Promise<readonly FoundSite[]> {
  const { sites } = host.paths;
  if (!(await host.files.exists(sites))) return [];
  const names = (await host.files.list(sites)).filter((name) => isId('site', name)).slice(0, MOST);
  return names.map((siteId) => ({ serviceId: '', siteId, what: `directory ${join(sites, siteId)}` }));
}
