// Clusters: what must hold for their fronts, heads and sites. Each rule throws and says what to do.
import { AegirError } from '../../shared/error.ts';
import { nextSharedUid } from '../../shared/site-uid.ts';
import type { PlatformRecord, ServiceRecord, SiteRecord } from '../store/model.ts';
import { type Graph, isCluster } from './graph.ts';

/** The declared setting of a cluster that names what its heads share, and of file/mount services that are it. */
export const SHARE = 'share';

/** Names a cluster by its service, or by its own name where one only has it. */
export function clusterOf(graph: Graph, ref: string): ServiceRecord {
  const named = graph.services.filter((service) => isCluster(service) && service.instance === ref);
  const [only] = named;
  if (only !== undefined && named.length === 1) return only;
  if (named.length > 1) {
    const names = named.map((service) => graph.serviceName(service)).join(', ');
    throw new AegirError('invalid_argument', `cannot choose a cluster: there are ${names}; name one of these`);
  }
  const known = graph.services.filter(isCluster).map((service) => graph.serviceName(service));
  if (!ref.startsWith('svc-') && !known.includes(ref)) {
    const hint = known.length === 0 ? 'there is no cluster yet; see: aegir cluster create --help' : `there is ${known}`;
    throw new AegirError('not_found', `cannot find cluster ${JSON.stringify(ref)}: ${hint}`);
  }
  const service = graph.service(ref);
  if (isCluster(service)) return service;
  throw new AegirError('invalid_argument', `cannot take ${graph.serviceName(service)} for a cluster: it is none`);
}

/** Where a server sees what the heads of a cluster share; '' where the cluster shares nothing. */
export function sharedRoot(
  services: readonly ServiceRecord[],
  cluster: ServiceRecord,
  serverId: string,
): string | undefined {
  const share = cluster.settings[SHARE] ?? '';
  if (share === '') return '';
  const mount = services.find(
    (service) =>
      service.serverId === serverId &&
      service.type === 'file' &&
      service.engine === 'mount' &&
      service.state === 'enabled' &&
      service.settings[SHARE] === share,
  );
  // Where it was detected, its instance is where it is mounted.
  return mount?.settings['path'] ?? (mount?.instance.startsWith('/') ? mount.instance : undefined);
}

/** The head's server sees what the cluster shares. */
export function requireShare(graph: Graph, cluster: ServiceRecord, head: ServiceRecord): void {
  if (sharedRoot(graph.services, cluster, head.serverId) !== undefined) return;
  const share = cluster.settings[SHARE] ?? '';
  const { name } = graph.server(head.serverId);
  throw new AegirError(
    'failed_precondition',
    `cannot use ${graph.serviceName(head)} as a head of ${cluster.instance}: ${name} does not see ${share}, which the heads ` +
      `share; mount it there, then: aegir service declare ${name}/mount:${share} --type file --set share=${share} --set path=PATH`,
  );
}

/** The web server of a cluster that does what one alone must do, such as running the installer. */
export function firstWebServer(graph: Graph, http: ServiceRecord): ServiceRecord {
  const servers = graph.webServersOf(http);
  const active = graph.headsOf(http.id).find((head) => head.state === 'active');
  const first = servers.find((service) => service.id === active?.serviceId) ?? servers[0];
  if (first !== undefined) return first;
  throw new AegirError(
    'failed_precondition',
    `cannot use ${graph.serviceName(http)}: it has no heads; add one: aegir cluster add ${http.instance} SERVER/nginx`,
  );
}

/**
 * The platform that a site has once its visitors come by another front: the same code, for the same heads with the same
 * files, so that no data need move.
 */
export function platformBehind(graph: Graph, site: SiteRecord, front: ServiceRecord): PlatformRecord {
  const former = graph.service(site.bindings.http);
  const platform = graph.platform(site.platformId);
  const name = graph.serviceName(front);
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot rebind ${site.name} to ${name}: ${why}`);
  };
  const headsOf = (service: ServiceRecord) =>
    graph
      .webServersOf(service)
      .map((head) => graph.serviceName(head))
      .sort()
      .join(', ');
  if (!isCluster(former)) refuse(`its files are on ${graph.serviceName(former)}, and only fronts move without them`);
  if (!isCluster(front)) refuse('it is no front of a cluster; see: aegir cluster list');
  if (former.serverId === front.serverId) refuse(`${graph.serviceName(former)} is on the same server`);
  if (headsOf(front) !== headsOf(former)) {
    refuse(`its heads (${headsOf(front) || 'none'}) are not those that have the site (${headsOf(former)})`);
  }
  if ((front.settings[SHARE] ?? '') !== (former.settings[SHARE] ?? '')) refuse('its heads share other files');
  const same = graph
    .platformsOnService(front.id)
    .find(({ root, app, state }) => root === platform.root && app === platform.app && state === 'verified');
  return (
    same ??
    refuse(
      `it has no verified platform of ${platform.root}; first: aegir platform add NAME ${platform.root} --service ${name}`,
    )
  );
}

/**
 * A number for the site's system user, equal on all heads; 0 where the site has one server. It rises, for what a site that is
 * gone left on the heads is its number's; the store remembers the highest (master/store/site-table.ts).
 */
export function freshUid(graph: Graph, http: ServiceRecord): number {
  if (!isCluster(http)) return 0;
  const highest = graph.sites.reduce(
    (most: number, site: SiteRecord) => Math.max(most, site.uid),
    graph.highestUid ?? 0,
  );
  const uid = nextSharedUid(highest);
  if (uid !== undefined) return uid;
  throw new AegirError('resource_exhausted', 'cannot give the site a user number: all were given');
}
