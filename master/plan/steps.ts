// Builders of the steps that several verbs share: arguments, the sentence for people, and what undoing means.
import { displayName } from '../../shared/name.ts';
import { firstWebServer } from '../graph/cluster-rules.ts';
import { type Graph, isCluster } from '../graph/graph.ts';
import { writerOf } from '../graph/spread.ts';
import type { ServiceRecord, SiteRecord } from '../store/model.ts';
import type { PlanStep } from './plan.ts';
import { siteRecordSets } from './site-records.ts';

const KEEPS = { none: 'it only brings back what is declared' } as const;

/**
 * The one web server of a site that runs its cron: of a cluster the head that takes its writes, or the one that has been
 * there longest, also drained.
 */
export function cronService(graph: Graph, site: SiteRecord): ServiceRecord {
  const http = graph.service(site.bindings.http);
  return writerOf(graph, site) ?? graph.webServersOf(http)[0] ?? firstWebServer(graph, http);
}

export function runsCron(graph: Graph, site: SiteRecord, service: ServiceRecord): boolean {
  const [first] = graph.webServersOf(graph.service(site.bindings.http));
  return (writerOf(graph, site) ?? first)?.id === service.id;
}

/** What stood there before the task: decides what undo goes back to. */
export type Before = 'absent' | 'present';

export function dbCreate(graph: Graph, site: SiteRecord, before: Before): readonly PlanStep[] {
  if (site.bindings.db === undefined) return [];
  const service = graph.service(site.bindings.db);
  return [
    {
      kind: 'db.create',
      args: { serviceId: service.id, siteId: site.id, before },
      summary: `${before === 'absent' ? 'Create' : 'Check'} database ${site.database} and its user on ${graph.serviceName(service)}`,
      serverId: service.serverId,
      undo: before === 'absent' ? { summary: `drop database ${site.database} and its user` } : KEEPS,
    },
  ];
}

/** Embedded hosts run all their sites as one user. */
function ownUser(graph: Graph, serverId: string): string {
  return graph.server(serverId).facts.hostKind === 'embedded' ? '' : 'system user, ';
}

/** On one web server of the site. */
export function sitePrepareOn(
  graph: Graph,
  site: SiteRecord,
  serverId: string,
  before: Before,
  keepShared = false,
): PlanStep {
  return {
    kind: 'site.prepare',
    args: { serverId, siteId: site.id, before, keepShared },
    summary: `${before === 'absent' ? 'Create' : 'Check'} ${ownUser(graph, serverId)}directories and settings of ${displayName(site.name)} on ${graph.server(serverId).name}`,
    serverId,
    undo: before === 'absent' ? { summary: 'remove them' } : KEEPS,
  };
}

export function sitePrepare(graph: Graph, site: SiteRecord, before: Before): readonly PlanStep[] {
  const servers = graph.webServersOf(graph.service(site.bindings.http)).map(({ serverId }) => serverId);
  return [...new Set(servers)].map((serverId) => sitePrepareOn(graph, site, serverId, before));
}

/**
 * Of a site that is made from another: before its settings, which say whether it is served over HTTPS. One of the
 * authority is ordered when it serves.
 */
export function firstCertificate(site: SiteRecord): readonly PlanStep[] {
  if (site.web.https === 'off' || site.web.https === 'own') return [];
  return [
    {
      kind: 'certificate.ensure',
      args: { siteId: site.id, before: null },
      summary: `Make a self-signed certificate for ${displayName(site.name)}`,
      serverId: null,
      undo: { summary: 'forget it' },
    },
  ];
}

type Served = 'enabled' | 'disabled';

/** On one web server of the site, or on the front of its cluster. */
export function httpPublishOn(
  graph: Graph,
  site: SiteRecord,
  service: ServiceRecord,
  state: Served,
  before: 'absent' | Served,
): PlanStep {
  const what = isCluster(service)
    ? `Lead visitors of ${displayName(site.name)} to its web servers`
    : state === 'enabled'
      ? `Serve ${displayName(site.name)}`
      : `Answer for ${displayName(site.name)} with a maintenance page`;
  const undo =
    before === 'absent' ? 'take it off' : before === 'enabled' ? 'serve it again' : 'show the maintenance page again';
  return {
    kind: 'http.publish',
    args: { serviceId: service.id, siteId: site.id, state, before, cron: runsCron(graph, site, service) },
    summary: `${what} on ${graph.serviceName(service)}`,
    serverId: service.serverId,
    undo: state === before ? KEEPS : { summary: undo },
  };
}

/** Web servers, and the front before them, where there is one: where visitors come in. */
export function publishedOn(graph: Graph, site: SiteRecord): readonly ServiceRecord[] {
  const http = graph.service(site.bindings.http);
  return isCluster(http) ? [...graph.webServersOf(http), http] : [http];
}

export function httpPublish(
  graph: Graph,
  site: SiteRecord,
  state: Served,
  before: 'absent' | Served,
): readonly PlanStep[] {
  return publishedOn(graph, site).map((service) => httpPublishOn(graph, site, service, state, before));
}

export function siteProbeOn(graph: Graph, site: SiteRecord, service: ServiceRecord): PlanStep {
  return {
    kind: 'site.probe',
    args: { serviceId: service.id, siteId: site.id },
    summary: `Ask ${displayName(site.name)} for its home page on ${graph.server(service.serverId).name}`,
    serverId: service.serverId,
    undo: { none: 'it only looks' },
  };
}

export function siteProbe(graph: Graph, site: SiteRecord): readonly PlanStep[] {
  return publishedOn(graph, site).map((service) => siteProbeOn(graph, site, service));
}

export function dnsPublish(graph: Graph, site: SiteRecord, before: Before): readonly PlanStep[] {
  const web = graph.server(graph.service(site.bindings.http).serverId).name;
  return siteRecordSets(graph, site).map(({ service, zone, names, records }) => ({
    kind: 'dns.publish',
    args: { serviceId: service.id, siteId: site.id, zone, records, before },
    summary: `Point ${names.map(displayName).join(', ')} at ${web} by ${graph.serviceName(service)}`,
    serverId: service.serverId,
    undo: before === 'absent' ? { summary: 'take the records back' } : KEEPS,
  }));
}

export function dnsUnpublish(graph: Graph, site: SiteRecord): readonly PlanStep[] {
  return siteRecordSets(graph, site).map(({ service, zone, records }) => ({
    kind: 'dns.unpublish',
    args: { serviceId: service.id, siteId: site.id, zone, records },
    summary: `Take its records back by ${graph.serviceName(service)}`,
    serverId: service.serverId,
    undo: { none: 'what is removed cannot come back' },
  }));
}

export function siteRecordStep(
  site: SiteRecord,
  to: 'installing' | 'enabled' | 'disabled' | 'deleting',
  before: SiteRecord['state'] | 'absent',
): PlanStep {
  return {
    kind: 'site.record',
    args: { siteId: site.id, to, before },
    summary: `Record ${displayName(site.name)} as ${to}`,
    serverId: null,
    undo: { summary: before === 'absent' ? 'forget the site' : `record it as ${before}` },
  };
}
