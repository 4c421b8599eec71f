// Clusters whose heads have files of their own: of each site one head takes what its visitors leave, and passes it on to the
// others. All else of the site asks here which one that is.
import { AegirError } from '../../shared/error.ts';
import { APPS } from '../../shared/vocabulary.ts';
import type { HeadRecord, PlatformRecord, ServiceRecord, SiteRecord, SiteSpread } from '../store/model.ts';
import { firstWebServer, SHARE } from './cluster-rules.ts';
import { type Graph, isCluster } from './graph.ts';

/** No mount that all heads see. */
export function hasOwnFiles(http: ServiceRecord): boolean {
  return isCluster(http) && (http.settings[SHARE] ?? '') === '';
}

/** Of the heads that stay, which takes the writes of a site; undefined where all see the same files, or nobody leaves any. */
export function writerAmong<Head>(
  heads: readonly Head[],
  idOf: (head: Head) => string,
  { site, app, http }: { readonly site: SiteRecord; readonly app: PlatformRecord['app']; readonly http: ServiceRecord },
): Head | undefined {
  if (!hasOwnFiles(http) || app === '' || !APPS[app].writes) return undefined;
  return heads.find((head) => idOf(head) === site.spread?.writer) ?? heads[0];
}

export function writerOf(graph: Graph, site: SiteRecord): ServiceRecord | undefined {
  const http = graph.service(site.bindings.http);
  const { app } = graph.platform(site.platformId);
  return writerAmong(graph.webServersOf(http), ({ id }) => id, { site, app, http });
}

/** The web server of a site that does what one alone must do, and whose files are the site's. */
export function mainWebServer(graph: Graph, site: SiteRecord): ServiceRecord {
  return writerOf(graph, site) ?? firstWebServer(graph, graph.service(site.bindings.http));
}

/** Of a site to be: the active head that takes the writes of the fewest. */
export function spreadFor(graph: Graph, http: ServiceRecord): SiteSpread | null {
  if (!hasOwnFiles(http)) return null;
  const [writer] = candidates(graph, http, new Map());
  return writer === undefined ? null : { writer: writer.serviceId, copies: [], kept: [] };
}

/** Heads that could take the writes of another site, the one with the fewest first. more: sites to be counted besides. */
function candidates(graph: Graph, http: ServiceRecord, more: ReadonlyMap<string, number>): readonly HeadRecord[] {
  const count = new Map(more);
  for (const site of graph.sitesOnService(http.id)) {
    const id = writerOf(graph, site)?.id;
    if (id !== undefined) count.set(id, (count.get(id) ?? 0) + 1);
  }
  return graph
    .headsOf(http.id)
    .filter(({ state }) => state === 'active')
    .sort((a, b) => (count.get(a.serviceId) ?? 0) - (count.get(b.serviceId) ?? 0));
}

export interface Role {
  readonly site: SiteRecord;
  readonly to: ServiceRecord;
}

/** What a head hands over that is to get no more requests: each of its sites, and who takes its writes. */
export function handOver(graph: Graph, cluster: ServiceRecord, left: ServiceRecord): readonly Role[] {
  const more = new Map<string, number>();
  return graph
    .sitesOnService(cluster.id)
    .filter((site) => writerOf(graph, site)?.id === left.id)
    .map((site) => {
      const heads = candidates(graph, cluster, more);
      const next = heads.find(
        ({ serviceId }) => serviceId !== left.id && site.spread?.kept.includes(serviceId) !== true,
      );
      if (next === undefined) {
        throw new AegirError(
          'failed_precondition',
          `cannot take writes of ${site.name} off ${graph.serviceName(left)}: no other head gets requests; add or activate one first`,
        );
      }
      more.set(next.serviceId, (more.get(next.serviceId) ?? 0) + 1);
      return { site, to: graph.service(next.serviceId) };
    });
}

/** The other heads of the site, which get its files: those that are known to the front. kept: also those that keep their own. */
export function readersOf(graph: Graph, site: SiteRecord, kept = false): readonly ServiceRecord[] {
  const writer = writerOf(graph, site);
  if (writer === undefined) return [];
  return graph
    .headsOf(site.bindings.http)
    .filter(({ state, serviceId }) => state !== 'leaving' && state !== 'joining' && serviceId !== writer.id)
    .filter(({ serviceId }) => kept || site.spread?.kept.includes(serviceId) !== true)
    .map(({ serviceId }) => graph.service(serviceId));
}

/** Throws failed_precondition with what to do when it cannot take them. */
export function requireWriter(graph: Graph, site: SiteRecord, to: ServiceRecord): void {
  const refuse = (why: string): never => {
    throw new AegirError(
      'failed_precondition',
      `cannot have ${graph.serviceName(to)} take writes of ${site.name}: ${why}`,
    );
  };
  if (writerOf(graph, site) === undefined) refuse('all its web servers see the same files, or it has one');
  const http = graph.service(site.bindings.http);
  const head = graph.headsOf(http.id).find(({ serviceId }) => serviceId === to.id);
  if (head === undefined) refuse(`it is no head of ${http.instance}; see: aegir cluster show ${http.instance}`);
  if (head?.state !== 'active')
    refuse(`it is ${head?.state}; first: aegir cluster activate ${http.instance} ${graph.serviceName(to)}`);
  if (site.spread?.kept.includes(to.id) === true) refuse('it was given up, and has files that are nowhere else');
}
