// The DNS records that a site needs, by the zones that its names are in. Pure.
import { AegirError } from '../../shared/error.ts';
import type { Graph } from '../graph/graph.ts';
import type { ServiceRecord, SiteRecord, ZoneRecord } from '../store/model.ts';
import type { PlannedRecord } from './plan.ts';

const DEFAULT_TTL_SECONDS = 3600;

/** What one dns service has to publish for a site. */
export interface SiteRecords {
  readonly service: ServiceRecord;
  /** '' where no zone of ours holds the names. */
  readonly zone: string;
  readonly names: readonly string[];
  readonly records: readonly PlannedRecord[];
}

/** Seconds that resolvers keep what Aegir publishes in the zone. */
export function ttlOf(zone: ZoneRecord | undefined): number {
  if (zone === undefined) return DEFAULT_TTL_SECONDS;
  return zone.ttlPolicy === 'low' ? zone.lowTtl : zone.ttl;
}

/**
 * By zone, in the order of the site's names: names in a zone of ours by the service of that zone; the others, and all of
 * a site that a person looks after, by the service that the site binds to, which may be none.
 */
export function siteRecordSets(graph: Graph, site: SiteRecord): readonly SiteRecords[] {
  const groups = new Map<string, { service: ServiceRecord; zone: ZoneRecord | undefined; names: string[] }>();
  for (const name of [site.name, ...site.aliases]) {
    const zone = site.dnsByHand ? undefined : graph.zoneOf(name);
    const serviceId = zone?.serviceId ?? site.bindings.dns;
    if (serviceId === undefined) continue;
    const service = graph.service(serviceId);
    if (zone === undefined && service.engine !== 'null') {
      throw new AegirError(
        'failed_precondition',
        `cannot publish ${name}: no zone of ${graph.serviceName(service)} holds it; declare one: aegir zone add ZONE`,
      );
    }
    const key = zone?.id ?? '';
    const group = groups.get(key) ?? { service, zone, names: [] };
    group.names.push(name);
    groups.set(key, group);
  }
  const { addresses } = graph.server(graph.service(site.bindings.http).serverId).facts;
  return [...groups.values()].map(({ service, zone, names }) => ({
    service,
    zone: zone?.name ?? '',
    names,
    records: names.flatMap((name) =>
      addresses.map((address) => ({
        name,
        type: address.includes(':') ? 'AAAA' : 'A',
        ttl: ttlOf(zone),
        data: address,
      })),
    ),
  }));
}
