// What a server has of sites that the graph does not know, as after an older copy of the master was brought back: it goes on
// being served, and nobody would see. Pure.
import type { FoundSite } from '../../shared/gen/aegir/v1/agent.ts';
import type { Graph } from '../graph/graph.ts';
import { finding, type ReportFinding } from './finding.ts';

export function judgeFound(graph: Graph, found: readonly FoundSite[]): readonly ReportFinding[] {
  const known = new Set(graph.sites.map(({ id }) => id));
  const things = new Map<string, Set<string>>();
  for (const { siteId, serviceId, what } of found) {
    if (known.has(siteId)) continue;
    const service = graph.services.find(({ id }) => id === serviceId);
    const where = service === undefined ? what : `${what} on ${graph.serviceName(service)}`;
    things.set(siteId, (things.get(siteId) ?? new Set()).add(where));
  }
  return [...things].map(([siteId, all]) =>
    finding(
      'site',
      'warning',
      'site.unknown',
      siteId,
      `the master knows no such site, and it is there: ${[...all].join(', ')}`,
      {
        advice:
          "if this master was brought back from a copy, bring back a newer one; otherwise it is a site's leftover: keep what " +
          'you need of it, and remove those by hand',
      },
    ),
  );
}
