// Plans that move a binding of a site where no data need move: to another front of the same web servers, or to another
// dns service.
import { displayName } from '../../shared/name.ts';
import { createGraph, type Graph } from '../graph/graph.ts';
import type { PlatformRecord, ServiceRecord, SiteRecord } from '../store/model.ts';
import { httpUnpublish } from './change-site.ts';
import { restoreServed, takeBackRecords } from './change-site-web.ts';
import type { Plan, PlanStep, SiteBindings } from './plan.ts';
import { type SiteRecords, siteRecordSets, ttlOf } from './site-records.ts';
import { dnsPublish, httpPublishOn, sitePrepare, siteProbeOn } from './steps.ts';

function bindingsOf({ platformId, bindings, dnsByHand }: SiteRecord): SiteBindings {
  return { platformId, bindings: { ...bindings }, dnsByHand };
}

function rebindStep(graph: Graph, site: SiteRecord, changed: SiteRecord, service: ServiceRecord): PlanStep {
  return {
    kind: 'site.rebind',
    args: { siteId: site.id, to: bindingsOf(changed), before: bindingsOf(site) },
    summary: `Record that ${displayName(site.name)} binds to ${graph.serviceName(service)}`,
    serverId: null,
    undo: { summary: 'record what it bound to before' },
  };
}

function withSite(graph: Graph, changed: SiteRecord): Graph {
  return createGraph({ ...graph, sites: graph.sites.map((site) => (site.id === changed.id ? changed : site)) });
}

/** The record as it shall be. Where zones of ours hold its names, binding to null takes them out of our hands. */
export function boundToDns(graph: Graph, site: SiteRecord, dns: ServiceRecord): SiteRecord {
  const inZones = [site.name, ...site.aliases].some((name) => graph.zoneOf(name) !== undefined);
  return { ...site, bindings: { ...site.bindings, dns: dns.id }, dnsByHand: dns.engine === 'null' && inZones };
}

/**
 * The new service publishes the names, or a person is told to and awaited; then the former one takes back what it has.
 * What a person has set stays: nobody can tell it from what the new service answers.
 */
export function planRebindDns(graph: Graph, site: SiteRecord, dns: ServiceRecord): Plan {
  const changed = boundToDns(graph, site, dns);
  const after = withSite(graph, changed);
  const same = site.bindings.dns === dns.id && site.dnsByHand === changed.dnsByHand;
  const [shown, name] = [displayName(site.name), graph.serviceName(dns)];
  const keyOf = ({ service, zone }: SiteRecords) => `${service.id} ${zone}`;
  const [before, sets] = [siteRecordSets(graph, site), siteRecordSets(after, changed)];
  const had = new Set(before.map(keyOf));
  const left = before.filter((set) => set.service.engine !== 'null' && !sets.some((one) => keyOf(one) === keyOf(set)));
  const [fresh, kept] = [dnsPublish(after, changed, 'absent'), dnsPublish(after, changed, 'present')];
  const publish = sets.flatMap((set, at) => (set.zone === '' || had.has(keyOf(set)) ? kept[at] : fresh[at]) ?? []);
  const wait = left.length === 0 ? [] : awaitSteps(sets, site, left[0]?.service.id);
  return {
    ...{ verb: 'site.rebind', subjectId: site.id, subject: site.name, pointOfNoReturn: null },
    summary: same ? `${shown} binds to ${name} already: nothing to do` : `Bind ${shown} to ${name}`,
    steps: same
      ? []
      : [
          ...noteRecords(graph, site, left),
          rebindStep(graph, site, changed, dns),
          ...publish,
          ...wait,
          ...takeBackRecords(after, changed, left),
        ],
    warnings: same
      ? []
      : [
          ...left.map(
            ({ service, zone }) =>
              `${graph.serviceName(service)} keeps its records in ${displayName(zone)} until the public asks it for them no more.`,
          ),
          ...(site.dnsByHand ? ['What was set by hand elsewhere stays there until somebody removes it.'] : []),
        ],
    locks: [`site/${site.id}`],
  };
}

/** First, and undone last. */
function noteRecords(graph: Graph, site: SiteRecord, sets: readonly SiteRecords[]): readonly PlanStep[] {
  return sets.map(({ service, zone, records }) => ({
    kind: 'site.restore',
    args: { siteId: site.id, part: { of: 'dns', serviceId: service.id, zone, records } },
    summary: `Note the records of ${displayName(site.name)} on ${graph.serviceName(service)}`,
    serverId: service.serverId,
    undo: { summary: 'publish them as they were' },
  }));
}

/** Longest time that resolvers keep the records, s. */
function longestTtl(sets: readonly SiteRecords[]): number {
  const ttls = sets.flatMap(({ records }) => records.map(({ ttl }) => ttl));
  return ttls.length === 0 ? ttlOf(undefined) : Math.max(...ttls);
}

/** Where a person has to set the records, waits until they are. */
function awaitSteps(sets: readonly SiteRecords[], site: SiteRecord, leaves?: string): readonly PlanStep[] {
  return sets
    .filter(({ service }) => service.engine === 'null')
    .map(({ service, zone, names, records }) => ({
      kind: 'dns.await',
      args: {
        ...{ serviceId: service.id, siteId: site.id, zone, records },
        ...(leaves === undefined ? {} : { leaves }),
      },
      summary: `Wait until ${names.map(displayName).join(', ')} ${names.length === 1 ? 'leads' : 'lead'} there`,
      serverId: service.serverId,
      undo: { none: 'it only looks' },
    }));
}

/**
 * The new front serves first, then the names lead to it, and the former one serves on until nobody has its address any
 * more. platform: the one of the site's code behind the new front. patience: seconds for that instead of the TTL.
 */
export function planRebindFront(
  graph: Graph,
  site: SiteRecord,
  front: ServiceRecord,
  platform: PlatformRecord,
  patience: number | undefined,
): Plan {
  const former = graph.service(site.bindings.http);
  const changed: SiteRecord = {
    ...site,
    platformId: platform.id,
    bindings: { ...site.bindings, http: front.id },
  };
  const after = withSite(graph, changed);
  const state = site.state === 'disabled' ? 'disabled' : 'enabled';
  const shown = displayName(site.name);
  const heads = graph.webServersOf(front);
  const before = siteRecordSets(graph, site);
  const sets = siteRecordSets(after, changed);
  const seconds = patience ?? longestTtl(before);

  const restoreFiles = [...new Set(heads.map(({ serverId }) => serverId))].map(
    (serverId): PlanStep => ({
      kind: 'site.restore',
      args: { siteId: site.id, part: { of: 'files', serverId } },
      summary: `Note the settings of ${shown}`,
      serverId,
      undo: { summary: 'write them as they were' },
    }),
  );
  const both = heads.map((head): PlanStep => {
    const step = httpPublishOn(after, changed, head, state, state);
    if (step.kind !== 'http.publish') return step;
    return {
      ...step,
      args: { ...step.args, believes: former.serverId },
      summary: `${step.summary}, for visitors of both fronts`,
    };
  });
  const steps: readonly PlanStep[] = [
    ...noteRecords(graph, site, before),
    ...restoreFiles,
    ...heads.map((head) => restoreServed(graph, site, head)),
    rebindStep(graph, site, changed, front),
    ...both,
    ...sitePrepare(after, changed, 'present'),
    httpPublishOn(after, changed, front, state, 'absent'),
    ...(state === 'enabled' ? [siteProbeOn(after, changed, front)] : []),
    ...dnsPublish(after, changed, 'present'),
    ...awaitSteps(sets, site),
    {
      kind: 'move.wait',
      args: { seconds, why: 'resolvers may still answer with the former records' },
      summary: `Serve by both fronts for ${seconds} s, as long as the former address may be kept`,
      serverId: null,
      undo: { none: 'time passed' },
    },
  ];
  const address = graph.server(front.serverId).facts.addresses.join(' and ');
  return {
    verb: 'site.rebind',
    subjectId: site.id,
    subject: site.name,
    summary: `Lead visitors of ${shown} by ${graph.serviceName(front)} instead of ${graph.serviceName(former)}`,
    steps: [
      ...steps,
      httpUnpublish(graph, site, former),
      ...heads.map((head) => httpPublishOn(after, changed, head, state, state)),
    ],
    warnings:
      sets.length === 0
        ? [`No dns service is bound: have the names lead to ${address} yourself, within ${seconds} s.`]
        : [],
    pointOfNoReturn: steps.length,
    // No head comes or goes meanwhile.
    locks: [`site/${site.id}`, `cluster/${former.id}`, `cluster/${front.id}`],
  };
}
