// The service graph as a value: servers carry services, platforms run on http services, sites bind to services.
// Pure: made from a snapshot of records, answers look-ups by id or name.
import { AegirError } from '../../shared/error.ts';
import { nameOnServer } from '../../shared/service-name.ts';
import type { ServiceType } from '../../shared/vocabulary.ts';
import type {
  ClientRecord,
  DnsRecordRecord,
  HeadRecord,
  PlatformRecord,
  ServerRecord,
  ServiceRecord,
  SiteRecord,
  ZoneRecord,
} from '../store/model.ts';

export interface GraphSnapshot {
  readonly servers: readonly ServerRecord[];
  readonly services: readonly ServiceRecord[];
  readonly platforms: readonly PlatformRecord[];
  readonly sites: readonly SiteRecord[];
  readonly clients: readonly ClientRecord[];
  readonly zones: readonly ZoneRecord[];
  /** Those that people declared. */
  readonly records: readonly DnsRecordRecord[];
  readonly heads: readonly HeadRecord[];
  /** Of the numbers of system users that sites ever had; left out for none. */
  readonly highestUid?: number;
}

/** Look-ups take an id or a name and throw not_found, naming what there is. */
export interface Graph extends GraphSnapshot {
  server(ref: string): ServerRecord;
  /** type: what is asked for; where there is none of that name, only such are named. */
  service(ref: string, type?: ServiceType): ServiceRecord;
  platform(ref: string): PlatformRecord;
  site(ref: string): SiteRecord;
  client(ref: string): ClientRecord;
  zone(ref: string): ZoneRecord;
  /** The zone that a host name is in: the longest whose apex it ends with; undefined for a name in none of ours. */
  zoneOf(name: string): ZoneRecord | undefined;
  recordsOf(zoneId: string): readonly DnsRecordRecord[];
  zonesOnService(serviceId: string): readonly ZoneRecord[];
  /** SERVER/ENGINE[:INSTANCE], as people name a service. */
  serviceName(service: ServiceRecord): string;
  servicesOf(serverId: string): readonly ServiceRecord[];
  enabled(type: ServiceType): readonly ServiceRecord[];
  sitesOnPlatform(platformId: string): readonly SiteRecord[];
  sitesOnService(serviceId: string): readonly SiteRecord[];
  platformsOnService(serviceId: string): readonly PlatformRecord[];
  sitesOfClient(clientId: string): readonly SiteRecord[];
  /** Of a cluster, in the order in which they joined. */
  headsOf(clusterId: string): readonly HeadRecord[];
  /** The web servers that serve what is published to an http service: itself, or the heads of its cluster but leaving ones. */
  webServersOf(service: ServiceRecord): readonly ServiceRecord[];
  /** Those that bind to an http service, and those of clusters that it is a head of. */
  sitesServedBy(service: ServiceRecord): readonly SiteRecord[];
}

/** A front: what is published to it is published to the heads of its cluster. */
export function isCluster(service: ServiceRecord): boolean {
  return service.type === 'http' && service.engine === 'cluster';
}

const NAMES_IN_ERROR = 10;

export function createGraph(snapshot: GraphSnapshot): Graph {
  // Revoked servers keep their records but give their names away.
  const alive = snapshot.servers.filter((server) => server.state !== 'revoked');
  const servers = new Map(snapshot.servers.map((server) => [server.id, server]));
  const byKey = <R extends { readonly id: string }>(records: readonly R[], name: (record: R) => readonly string[]) => {
    const found = new Map<string, R>();
    for (const record of records) {
      for (const key of name(record)) found.set(key, record);
      found.set(record.id, record);
    }
    return found;
  };
  const serviceName = (service: ServiceRecord): string => {
    const server = servers.get(service.serverId)?.name ?? service.serverId;
    return `${server}/${nameOnServer(service)}`;
  };
  const serverKeys = byKey(alive, (server) => [server.name]);
  // A fact, as that git is there, gives its name away to the service that somebody declared by it.
  const facts = snapshot.services.filter((service) => service.type === '');
  const services = [...facts, ...snapshot.services.filter((service) => service.type !== '')];
  const serviceKeys = byKey(services, (service) =>
    servers.get(service.serverId)?.state === 'revoked' ? [] : [serviceName(service)],
  );
  const platformKeys = byKey(snapshot.platforms, (platform) => [platform.name]);
  const siteKeys = byKey(snapshot.sites, (site) => [site.name, ...site.aliases]);
  const zoneKeys = byKey(snapshot.zones, (zone) => [zone.name]);
  const clientKeys = byKey(snapshot.clients, (client) => [client.name]);

  const revoked = new Set(snapshot.servers.filter(({ state }) => state === 'revoked').map(({ name }) => name));
  const find = <R>(kind: string, keys: ReadonlyMap<string, R>, ref: string, names: readonly string[]): R => {
    const found = keys.get(ref);
    if (found !== undefined) return found;
    const [host = ''] = ref.split('/');
    if ((kind === 'server' || kind.endsWith('service')) && revoked.has(host) && !serverKeys.has(host)) {
      throw new AegirError(
        'not_found',
        `cannot use ${kind} ${ref}: ${host} is revoked; let the host join again, or forget it: aegir server remove ${host}`,
      );
    }
    const known = names.slice(0, NAMES_IN_ERROR).join(', ') + (names.length > NAMES_IN_ERROR ? ', …' : '');
    const hint =
      names.length === 0 ? `there is no ${kind} yet` : `${names.length === 1 ? 'there is' : 'there are'} ${known}`;
    throw new AegirError('not_found', `cannot find ${kind} ${JSON.stringify(ref)}: ${hint}`);
  };

  const headsOf = (id: string) => snapshot.heads.filter((head) => head.clusterId === id);
  const serviceById = new Map(snapshot.services.map((service) => [service.id, service]));
  return {
    ...snapshot,
    headsOf,
    webServersOf: (service) => {
      if (!isCluster(service)) return [service];
      const heads = headsOf(service.id).filter((head) => head.state !== 'leaving');
      return heads.flatMap((head) => serviceById.get(head.serviceId) ?? []);
    },
    sitesServedBy: (service) => {
      const ids = new Set([
        service.id,
        ...snapshot.heads.filter((head) => head.serviceId === service.id).map((head) => head.clusterId),
      ]);
      return snapshot.sites.filter((site) => Object.values(site.bindings).some((id) => ids.has(id)));
    },
    server: (ref) =>
      servers.get(ref) ??
      find(
        'server',
        serverKeys,
        ref,
        alive.map((server) => server.name),
      ),
    service: (ref, type) =>
      find(
        type === undefined ? 'service' : `${type} service`,
        serviceKeys,
        ref,
        snapshot.services
          .filter((one) => one.type !== '' && (type === undefined || one.type === type))
          .filter((one) => servers.get(one.serverId)?.state !== 'revoked')
          .map(serviceName),
      ),
    platform: (ref) =>
      find(
        'platform',
        platformKeys,
        ref,
        snapshot.platforms.map((platform) => platform.name),
      ),
    site: (ref) =>
      find(
        'site',
        siteKeys,
        ref,
        snapshot.sites.map((site) => site.name),
      ),
    client: (ref) =>
      find(
        'client',
        clientKeys,
        ref,
        snapshot.clients.map((client) => client.name),
      ),
    zone: (ref) =>
      find(
        'zone',
        zoneKeys,
        ref,
        snapshot.zones.map((zone) => zone.name),
      ),
    zoneOf: (name) => {
      for (let apex = name; apex.includes('.'); apex = apex.slice(apex.indexOf('.') + 1)) {
        const zone = zoneKeys.get(apex);
        if (zone !== undefined) return zone;
      }
      return undefined;
    },
    recordsOf: (zoneId) => snapshot.records.filter((record) => record.zoneId === zoneId),
    zonesOnService: (id) => snapshot.zones.filter((zone) => zone.serviceId === id),
    serviceName,
    servicesOf: (serverId) => snapshot.services.filter((service) => service.serverId === serverId),
    enabled: (type) =>
      snapshot.services.filter(
        (service) =>
          service.type === type && service.state === 'enabled' && servers.get(service.serverId)?.state === 'accepted',
      ),
    sitesOnPlatform: (id) => snapshot.sites.filter((site) => site.platformId === id),
    sitesOnService: (id) => snapshot.sites.filter((site) => Object.values(site.bindings).includes(id)),
    platformsOnService: (id) => snapshot.platforms.filter((platform) => platform.serviceId === id),
    sitesOfClient: (id) => snapshot.sites.filter((site) => site.clientId === id),
  };
}
