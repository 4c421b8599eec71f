// Builders of the steps that several verbs share: arguments, the sentence for people, and what undoing means.

import { displayName } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';
import type { SiteRecord } from '../store/model.ts';
import type { PlanStep } from './plan.ts';
import { siteRecordSets } from './site-records.ts';

const KEEPS = { none: 'it only brings back what is declared' } as const;

/** The one service of those that publish a site whose server runs its cron. */
export function cronService(site: SiteRecord): string {
  return site.bindings.http;
}

export function runsCron(site: SiteRecord, serviceId: string): boolean {
  return cronService(site) === serviceId;
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

export function sitePrepare(graph: Graph, site: SiteRecord, before: Before): PlanStep {
  const { serverId } = graph.service(site.bindings.http);
  return {
    kind: 'site.prepare',
    args: { serverId, siteId: site.id, before },
    summary: `${before === 'absent' ? 'Create' : 'Check'} ${ownUser(graph, serverId)}directories and settings of ${displayName(site.name)} on ${graph.server(serverId).name}`,
    serverId,
    undo: before === 'absent' ? { summary: 'remove them' } : KEEPS,
  };
}

export function httpPublish(
  graph: Graph,
  site: SiteRecord,
  state: 'enabled' | 'disabled',
  before: 'absent' | 'enabled' | 'disabled',
): PlanStep {
  const service = graph.service(site.bindings.http);
  const what =
    state === 'enabled'
      ? `Serve ${displayName(site.name)}`
      : `Answer for ${displayName(site.name)} with a maintenance page`;
  const undo =
    before === 'absent' ? 'take it off' : before === 'enabled' ? 'serve it again' : 'show the maintenance page again';
  return {
    kind: 'http.publish',
    args: { serviceId: service.id, siteId: site.id, state, before, cron: runsCron(site, service.id) },
    summary: `${what} on ${graph.serviceName(service)}`,
    serverId: service.serverId,
    undo: state === before ? KEEPS : { summary: undo },
  };
}

export function siteProbe(graph: Graph, site: SiteRecord): PlanStep {
  const service = graph.service(site.bindings.http);
  return {
    kind: 'site.probe',
    args: { serviceId: service.id, siteId: site.id },
    summary: `Ask ${displayName(site.name)} for its home page on ${graph.server(service.serverId).name}`,
    serverId: service.serverId,
    undo: { none: 'it only looks' },
  };
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
