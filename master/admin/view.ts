// Records as the API's messages.
import type {
  Client,
  Cluster,
  Platform,
  Server,
  Service,
  Site,
  SiteCertificate,
  SiteSnippet,
  SpreadCopy,
  SpreadSite,
  Token,
  Zone,
} from '../../shared/gen/aegir/v1/admin.ts';
import type { HeadStatus } from '../../shared/gen/aegir/v1/agent.ts';
import type { Role } from '../../shared/vocabulary.ts';
import { SHARE } from '../graph/cluster-rules.ts';
import type { Graph } from '../graph/graph.ts';
import { siteUrl } from '../graph/site-url.ts';
import { readersOf, writerOf } from '../graph/spread.ts';
import { sitesInZone } from '../graph/zone-rules.ts';
import { makesZones, valuesOf } from '../plan/change-zone.ts';
import type { Agents } from '../session/agents.ts';
import type {
  ClientRecord,
  PlatformRecord,
  ServerRecord,
  ServiceRecord,
  SiteRecord,
  TokenRecord,
  ZoneRecord,
} from '../store/model.ts';
import { clusterSpec } from '../task/spec.ts';
import type { Caller } from './deps.ts';

export function date(ms: number | null | undefined): Date | undefined {
  return ms === null || ms === undefined ? undefined : new Date(ms);
}

export function serverView(graph: Graph, agents: Agents, server: ServerRecord): Server {
  const vitals = agents.vitals(server.id);
  return {
    id: server.id,
    name: server.name,
    state: server.state,
    connected: agents.isConnected(server.id),
    lastSeenAt: date(server.lastSeenAt),
    facts: server.facts,
    enrolledAt: date(server.enrolledAt),
    certificateExpiresAt: date(server.certificateExpiresAt),
    agentRssBytes: BigInt(vitals?.rssBytes ?? 0),
    meshState: vitals?.meshState ?? 'off',
    services: graph.servicesOf(server.id).map((service) => serviceView(graph, service)),
    plan: undefined,
  };
}

export function serviceView(graph: Graph, service: ServiceRecord): Service {
  return {
    id: service.id,
    serverId: service.serverId,
    server: graph.server(service.serverId).name,
    type: service.type,
    engine: service.engine,
    instance: service.instance,
    state: service.state,
    detected: service.detected,
    bound:
      graph.sitesOnService(service.id).length +
      graph.platformsOnService(service.id).length +
      graph.zonesOnService(service.id).length,
    name: graph.serviceName(service),
    origin: service.origin,
    settings: { ...service.settings },
    secrets: Object.keys(service.secrets),
    plan: undefined,
  };
}

export function platformView(graph: Graph, platform: PlatformRecord): Platform {
  return {
    id: platform.id,
    name: platform.name,
    app: platform.app,
    root: platform.root,
    serviceId: platform.serviceId,
    service: graph.serviceName(graph.service(platform.serviceId)),
    state: platform.state,
    facts: platform.facts ?? undefined,
    sites: graph.sitesOnPlatform(platform.id).length,
    plan: undefined,
  };
}

export function siteView(graph: Graph, site: SiteRecord, { role }: Pick<Caller, 'role'>): Site {
  const platform = graph.platform(site.platformId);
  return {
    id: site.id,
    name: site.name,
    aliases: [...site.aliases],
    state: site.state,
    platformId: platform.id,
    platform: platform.name,
    app: platform.app,
    bindings: Object.entries(site.bindings).map(([type, serviceId]) => ({
      type,
      serviceId,
      service: graph.serviceName(graph.service(serviceId)),
    })),
    clientId: site.clientId ?? '',
    client: site.clientId === null ? '' : graph.client(site.clientId).name,
    url: siteUrl(site, graph.service(site.bindings.http)),
    title: site.title,
    createdAt: date(site.createdAt),
    web: {
      ...site.web,
      php: {
        ...site.web.php,
        memoryBytes: BigInt(site.web.php.memoryBytes),
        bodyBytes: BigInt(site.web.php.bodyBytes),
      },
    },
    auth: site.auth === null ? undefined : { realm: site.auth.realm, users: site.auth.users.map(({ name }) => name) },
    snippet: site.snippet === null ? undefined : snippetView(site.snippet, role),
    certificate: site.certificate === null ? undefined : certificateView(site.certificate),
    cron: undefined,
    usage: undefined,
    backups: undefined,
    journey: undefined,
  };
}

/** Keys may be in it: it is for those who could have written it. */
function snippetView({ engine, text }: NonNullable<SiteRecord['snippet']>, role: Role): SiteSnippet {
  return { engine, text: role === 'admin' ? text : '', bytes: Buffer.byteLength(text) };
}

function certificateView(certificate: NonNullable<SiteRecord['certificate']>): SiteCertificate {
  const { source, names, notBefore, notAfter, issuer } = certificate;
  return { source, names: [...names], notBefore: date(notBefore), notAfter: date(notAfter), issuer };
}

export function zoneView(graph: Graph, zone: ZoneRecord): Zone {
  return {
    id: zone.id,
    name: zone.name,
    serviceId: zone.serviceId,
    service: graph.serviceName(graph.service(zone.serviceId)),
    state: zone.state,
    values: { ...valuesOf(zone), nameservers: [...zone.nameservers] },
    records: graph.recordsOf(zone.id).length,
    sites: sitesInZone(graph, zone).length,
    madeHere: makesZones(graph, zone),
  };
}

/** A cluster may have thousands. */
const MOST_SPREAD = 1000;

/** status: what the front says of its heads; why: why it says nothing. */
export function clusterView(graph: Graph, cluster: ServiceRecord, status: readonly HeadStatus[], why: string): Cluster {
  const spec = clusterSpec(cluster, []);
  return {
    id: cluster.id,
    name: cluster.instance,
    service: graph.serviceName(cluster),
    state: cluster.state,
    heads: graph.headsOf(cluster.id).map((head) => ({
      id: head.id,
      serviceId: head.serviceId,
      service: graph.serviceName(graph.service(head.serviceId)),
      state: head.state,
      weight: head.weight,
      status: status.find((each) => each.serviceId === head.serviceId),
    })),
    share: cluster.settings[SHARE] ?? '',
    checkMillis: spec.checkMillis,
    fall: spec.fall,
    rise: spec.rise,
    sites: graph.sitesOnService(cluster.id).length,
    platforms: graph.platformsOnService(cluster.id).length,
    statusError: why,
    spread: spreadView(graph, cluster),
  };
}

function spreadView(graph: Graph, cluster: ServiceRecord): SpreadSite[] {
  return graph
    .sitesOnService(cluster.id)
    .flatMap((site) => {
      const writer = writerOf(graph, site);
      if (writer === undefined) return [];
      const copies = site.spread?.copies ?? [];
      const newest = copies.reduce((last, { at }) => Math.max(last, at), 0);
      const digest = copies.find(({ at }) => at === newest)?.digest;
      const of = (head: string): Pick<SpreadCopy, 'state' | 'at'> => {
        const copy = copies.find((each) => each.head === head);
        const at = copy === undefined ? undefined : new Date(copy.at);
        if (site.spread?.kept.includes(head) === true) return { state: 'kept', at };
        if (copy === undefined) return { state: 'none', at };
        return { state: copy.digest === digest ? 'equal' : 'behind', at };
      };
      const readers = readersOf(graph, site, true);
      return [
        {
          site: site.name,
          writer: graph.serviceName(writer),
          copies: readers.map((service) => ({ service: graph.serviceName(service), ...of(service.id) })),
        },
      ];
    })
    .sort((a, b) => (a.site < b.site ? -1 : 1))
    .slice(0, MOST_SPREAD);
}

export function clientView(graph: Graph, client: ClientRecord): Client {
  const { id, name, mail } = client;
  return { id, name, mail, sites: graph.sitesOfClient(client.id).length, plan: undefined };
}

export function tokenView(token: TokenRecord, now: number): Token {
  const state =
    token.revokedAt !== null
      ? 'revoked'
      : token.expiresAt !== null && token.expiresAt <= now
        ? 'expired'
        : token.kind === 'join' && token.usesLeft === 0
          ? 'used'
          : 'active';
  return {
    id: token.id,
    kind: token.kind,
    description: token.description,
    role: token.role,
    usesLeft: token.usesLeft,
    expiresAt: date(token.expiresAt),
    createdAt: date(token.createdAt),
    state,
    autoAccept: token.autoAccept,
    autoEnable: [...token.autoEnable],
  };
}
