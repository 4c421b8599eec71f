// What must hold of zones and their records. Each rule throws and says what to do.
import { AegirError } from '../../shared/error.ts';
import { withArticle } from '../../shared/words.ts';
import type { DnsRecordRecord, ServiceRecord, SiteRecord, ZoneRecord } from '../store/model.ts';
import type { Graph } from './graph.ts';

const ADDRESSES = ['A', 'AAAA', 'CNAME'];

/** Sites with a name in the zone, but those that a person looks after. */
export function sitesInZone(graph: Graph, zone: ZoneRecord): readonly SiteRecord[] {
  return namedIn(graph, zone).filter((site) => !site.dnsByHand);
}

/** Sites with a name in the zone that a person looks after. */
export function sitesByHand(graph: Graph, zone: ZoneRecord): readonly SiteRecord[] {
  return namedIn(graph, zone).filter((site) => site.dnsByHand);
}

function namedIn(graph: Graph, zone: ZoneRecord): readonly SiteRecord[] {
  return graph.sites.filter((site) => [site.name, ...site.aliases].some((name) => graph.zoneOf(name)?.id === zone.id));
}

/** A record that people declare: in the zone, beside nothing that it cannot stand beside. */
export function requireRecord(graph: Graph, zone: ZoneRecord, record: Omit<DnsRecordRecord, 'id'>): void {
  const { name, type, data } = record;
  const refuse = (why: string, code: 'failed_precondition' | 'already_exists' = 'failed_precondition'): never => {
    throw new AegirError(code, `cannot declare ${withArticle(type)} record of ${name} in ${zone.name}: ${why}`);
  };
  const bare = name.startsWith('*.') ? name.slice(2) : name;
  if (bare !== zone.name && !bare.endsWith(`.${zone.name}`)) refuse('the name is not in that zone');
  const nearest = graph.zoneOf(bare);
  if (nearest !== undefined && nearest.id !== zone.id) refuse(`the name is in zone ${nearest.name}; declare it there`);
  if (name === zone.name && type === 'NS') refuse('those of the apex are the name servers of the zone: aegir zone set');
  if (name === zone.name && type === 'CNAME') refuse('the apex of a zone cannot be an alias (RFC 1034, 3.6.2)');

  const same = graph.recordsOf(zone.id).filter((other) => other.name === name);
  if (same.some((other) => other.type === type && other.data === data)) refuse('it is there already', 'already_exists');
  if (same.some((other) => (type === 'CNAME') !== (other.type === 'CNAME') || type === 'CNAME')) {
    refuse('a CNAME stands alone at its name (RFC 1034, 3.6.2); remove the other record first');
  }
  const site = graph.sites.find((each) => !each.dnsByHand && [each.name, ...each.aliases].includes(name));
  if (site !== undefined && ADDRESSES.includes(type))
    refuse(`site ${site.name} has that name, and publishes it itself`);
}

/** A site's names are not taken by a declared address or alias. */
export function requireFreeRecords(graph: Graph, names: readonly string[]): void {
  for (const name of names) {
    const zone = graph.zoneOf(name);
    const taken = zone && graph.recordsOf(zone.id).find((one) => one.name === name && ADDRESSES.includes(one.type));
    if (zone === undefined || taken === undefined) continue;
    throw new AegirError(
      'failed_precondition',
      `cannot use the name ${name}: zone ${zone.name} has ${taken.type} ${taken.data} declared for it; ` +
        `remove that first: aegir record remove ${name} ${taken.type}`,
    );
  }
}

/** Names in zones of ours are published by the services of these, or by hand; the others only by hand. */
export function requireFittingDns(graph: Graph, site: SiteRecord, dns: ServiceRecord): void {
  const name = graph.serviceName(dns);
  if (dns.engine === 'null') {
    if (site.web.https !== 'acme-dns') return;
    throw new AegirError(
      'failed_precondition',
      `cannot rebind ${site.name} to ${name}: its certificate is proved by records that Aegir sets; first: aegir site set ${site.name} --https acme`,
    );
  }
  requireFreeRecords(graph, [site.name, ...site.aliases]);
  for (const each of [site.name, ...site.aliases]) {
    const zone = graph.zoneOf(each);
    if (zone?.serviceId === dns.id) continue;
    const why =
      zone === undefined
        ? `no zone of it holds ${each}; declare one: aegir zone add ZONE --service ${name}`
        : `zone ${zone.name} is on ${graph.serviceName(graph.service(zone.serviceId))}`;
    throw new AegirError('failed_precondition', `cannot rebind ${site.name} to ${name}: ${why}`);
  }
}

/** An authority can be shown by records of ours that all names are the site's. */
export function requireProvable(graph: Graph, site: Pick<SiteRecord, 'name' | 'aliases' | 'dnsByHand'>): void {
  for (const name of [site.name, ...site.aliases]) {
    const zone = graph.zoneOf(name);
    if (!site.dnsByHand && zone !== undefined && graph.service(zone.serviceId).engine !== 'null') continue;
    throw new AegirError(
      'failed_precondition',
      `cannot prove ${name} by DNS: ${zone === undefined ? 'no zone of ours holds it' : 'its records are set by hand'}; ` +
        (zone === undefined ? 'declare one: aegir zone add ZONE' : 'prove it by HTTP: --https acme'),
    );
  }
}

export function requireEmptyZone(graph: Graph, zone: ZoneRecord): void {
  const sites = sitesInZone(graph, zone);
  if (sites.length === 0) return;
  const names = sites.slice(0, 5).map((site) => site.name);
  const more = sites.length > names.length ? ` and ${sites.length - names.length} more` : '';
  throw new AegirError(
    'failed_precondition',
    `cannot remove zone ${zone.name}: names of ${names.join(', ')}${more} are in it; delete those sites first`,
  );
}
