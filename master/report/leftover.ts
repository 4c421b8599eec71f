// What a server has of sites that are not there: unknown to the graph, as after an older copy of the master was brought back,
// when they go on being served and nobody would see; or left behind by a move that was given up. Pure.
import type { FoundSite } from '../../shared/gen/aegir/v1/agent.ts';
import { displayName } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';
import type { SiteRecord } from '../store/model.ts';
import { finding, type ReportFinding } from './finding.ts';

/** busy: ids of sites that a task works with. */
export function judgeFound(
  graph: Graph,
  serverId: string,
  found: readonly FoundSite[],
  busy: ReadonlySet<string> = new Set(),
): readonly ReportFinding[] {
  const known = new Map(graph.sites.map((site) => [site.id, site]));
  const things = new Map<string, Set<string>>();
  for (const { siteId, serviceId, what } of found) {
    const site = known.get(siteId);
    if (site !== undefined && (busy.has(siteId) || isAt(graph, site, serverId, serviceId))) continue;
    const service = graph.services.find(({ id }) => id === serviceId);
    const where = service === undefined ? what : `${what} on ${graph.serviceName(service)}`;
    things.set(siteId, (things.get(siteId) ?? new Set()).add(where));
  }
  return [...things].map(([siteId, all]) => {
    const site = known.get(siteId);
    const there = [...all].join(', ');
    if (site === undefined) {
      const text = `the master knows no such site, and it is there: ${there}`;
      const advice =
        "if this master was brought back from a copy, bring back a newer one; otherwise it is a site's leftover: keep what " +
        'you need of it, and remove those by hand';
      return finding('site', 'warning', 'site.unknown', siteId, text, { advice });
    }
    const text = `it is not on this server, and of it is left here: ${there}`;
    const advice = 'nothing works with it any more: keep what you need of it, and remove those by hand';
    return finding('site', 'warning', 'site.leftover', displayName(site.name), text, { advice });
  });
}

/** serviceId: '' for what no service has, but the server itself. */
function isAt(graph: Graph, site: SiteRecord, serverId: string, serviceId: string): boolean {
  // At both ends.
  if (site.moving !== null) return true;
  const { http, db } = site.bindings;
  const web = [http, ...graph.headsOf(http).map((head) => head.serviceId)];
  if (serviceId !== '') return [...web, db].includes(serviceId);
  return graph.services.some(({ id, serverId: at }) => at === serverId && web.includes(id));
}
