// Moves a binding of a site to another service, where no data need move: its front, or its dns service.
import { AegirError } from '../../shared/error.ts';
import type { ChangeResponse, RebindSiteRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { platformBehind } from '../graph/cluster-rules.ts';
import { requireUsable } from '../graph/rules.ts';
import { requireFittingDns } from '../graph/zone-rules.ts';
import { boundToDns, planRebindDns, planRebindFront } from '../plan/rebind-site.ts';
import { change } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { findSite, requireState } from './site.ts';

const MAX_PATIENCE = 7 * 86_400;

export async function rebindSite(deps: AdminDeps, caller: Caller, request: RebindSiteRequest): Promise<ChangeResponse> {
  const { options, ...asked } = request;
  const patience = request.patienceSeconds;
  if ((request.http === '') === (request.dns === '')) {
    throw new AegirError('invalid_argument', 'cannot rebind: name one service, with --front or --dns');
  }
  if (patience !== undefined && (patience > MAX_PATIENCE || request.http === '')) {
    const why = request.http === '' ? 'only a front serves on' : 'seven days are the most';
    throw new AegirError('invalid_argument', `cannot wait ${patience} s: ${why}`);
  }
  return change(deps, caller, options, { method: 'site.rebind', ...asked }, (graph) => {
    const site = findSite(graph, request.site);
    requireState(site, ['enabled', 'disabled'], 'rebind');
    if (request.dns !== '') {
      const dns = graph.service(request.dns, 'dns');
      requireUsable(graph, dns, 'dns', `site ${site.name}`);
      requireFittingDns(graph, site, dns);
      return { plan: planRebindDns(graph, site, dns), draft: { site: boundToDns(graph, site, dns) } };
    }
    const front = graph.service(request.http, 'http');
    requireUsable(graph, front, 'http', `site ${site.name}`);
    if (front.id === site.bindings.http) {
      const summary = `${site.name} binds to ${graph.serviceName(front)} already: nothing to do`;
      const nothing = {
        verb: 'site.rebind' as const,
        subjectId: site.id,
        subject: site.name,
        summary,
        steps: [],
        warnings: [],
      };
      return { plan: { ...nothing, pointOfNoReturn: null, locks: [] } };
    }
    const platform = platformBehind(graph, site, front);
    const bindings = { ...site.bindings, http: front.id };
    return {
      plan: planRebindFront(graph, site, front, platform, patience),
      draft: { site: { ...site, platformId: platform.id, bindings } },
    };
  });
}
