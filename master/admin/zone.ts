// Zones: list, add, set, verify, remove.
import { AegirError } from '../../shared/error.ts';
import type {
  AddZoneRequest,
  ChangeResponse,
  GetZoneRequest,
  ListZonesRequest,
  ListZonesResponse,
  SetZoneRequest,
  Zone,
  ZoneRequest,
} from '../../shared/gen/aegir/v1/admin.ts';
import { displayName, hostName, mailAddress } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';
import { createGraph } from '../graph/graph.ts';
import { onlyOne } from '../graph/only-one.ts';
import { requireUsable } from '../graph/rules.ts';
import { requireEmptyZone } from '../graph/zone-rules.ts';
import { planAddZone, planRemoveZone, planSetZone, planVerifyZone, valuesOf } from '../plan/change-zone.ts';
import type { ZoneValues } from '../plan/plan.ts';
import type { ServiceRecord, ZoneRecord } from '../store/model.ts';
import { removeBy } from './at-work.ts';
import { change } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { loadGraph } from './load.ts';
import { pageOf } from './page.ts';
import { zoneView } from './view.ts';

const DEFAULTS = { ttl: 3600, lowTtl: 60, leadSeconds: 86_400, negativeTtl: 300 } as const;
const MAX_TTL = 604_800; // a week: RFC 2181 allows more, and nobody wants to wait for it
const MAX_NAMESERVERS = 13;

export async function listZones(deps: AdminDeps, request: ListZonesRequest): Promise<ListZonesResponse> {
  const graph = await loadGraph(deps.store);
  const page = pageOf(graph.zones, (zone) => zone.name, request);
  return { zones: page.items.map((zone) => zoneView(graph, zone)), nextPageToken: page.nextPageToken };
}

export async function getZone(deps: AdminDeps, request: GetZoneRequest): Promise<Zone> {
  const graph = await loadGraph(deps.store);
  return zoneView(graph, zoneOf(graph, request.zone));
}

/** By id, or by a name in any spelling. */
export function zoneOf(graph: Graph, ref: string): ZoneRecord {
  return graph.zone(ref.startsWith('zone-') ? ref : hostName(ref, 'zone name'));
}

export async function addZone(deps: AdminDeps, caller: Caller, request: AddZoneRequest): Promise<ChangeResponse> {
  const name = hostName(request.name, 'zone name');
  if (!name.includes('.')) {
    throw new AegirError('invalid_argument', `cannot add zone ${name}: a name with a dot is needed`);
  }
  const id = deps.newId('zone');
  const createdAt = deps.now();
  const { options, ...asked } = request;
  return change(deps, caller, options, { method: 'zone.add', ...JSON.parse(JSON.stringify(asked)) }, (graph) => {
    const service = chooseZoneService(graph, request.service, name);
    if (graph.zones.some((other) => other.name === name)) {
      throw new AegirError('already_exists', `cannot add zone ${name}: it is there; see: aegir zone show ${name}`);
    }
    const given = request.values;
    const values = checkValues({
      nameservers: given?.nameservers.length ? given.nameservers : [graph.server(service.serverId).facts.hostname],
      contact: given?.contact || `hostmaster@${name}`,
      ttl: given?.ttl || DEFAULTS.ttl,
      lowTtl: given?.lowTtl || DEFAULTS.lowTtl,
      ttlPolicy: (given?.ttlPolicy || 'normal') as 'normal',
      leadSeconds: given?.leadSeconds || DEFAULTS.leadSeconds,
      negativeTtl: given?.negativeTtl || DEFAULTS.negativeTtl,
      dnssec: given?.dnssec === true,
    });
    requireSigning(graph, service, values);
    requireMaking(graph, service, given?.nameservers ?? [], given?.contact);
    const zone: ZoneRecord = { id, name, serviceId: service.id, state: 'new', ...values, createdAt };
    return {
      plan: planAddZone(createGraph({ ...graph, zones: [...graph.zones, zone] }), zone),
      draft: { zone },
      save: (tx) => tx.zones.insert(zone),
    };
  });
}

export async function setZone(deps: AdminDeps, caller: Caller, request: SetZoneRequest): Promise<ChangeResponse> {
  const { options, ...asked } = request;
  return change(deps, caller, options, { method: 'zone.set', ...JSON.parse(JSON.stringify(asked)) }, (graph) => {
    const zone = zoneOf(graph, request.zone);
    const now = valuesOf(zone);
    const to = checkValues({
      nameservers: request.nameservers.length > 0 ? request.nameservers : now.nameservers,
      contact: request.contact ?? now.contact,
      ttl: request.ttl ?? now.ttl,
      lowTtl: request.lowTtl ?? now.lowTtl,
      ttlPolicy: (request.ttlPolicy ?? now.ttlPolicy) as 'normal',
      leadSeconds: request.leadSeconds ?? now.leadSeconds,
      negativeTtl: request.negativeTtl ?? now.negativeTtl,
      dnssec: request.dnssec ?? now.dnssec,
    });
    requireSigning(graph, graph.service(zone.serviceId), to);
    requireMaking(graph, graph.service(zone.serviceId), request.nameservers, request.contact);
    return { plan: planSetZone(graph, zone, to), draft: { zone: { ...zone, ...to } } };
  });
}

export async function verifyZone(deps: AdminDeps, caller: Caller, request: ZoneRequest): Promise<ChangeResponse> {
  return change(deps, caller, request.options, { method: 'zone.verify', zone: request.zone }, (graph) => ({
    plan: planVerifyZone(graph, zoneOf(graph, request.zone)),
  }));
}

export async function removeZone(deps: AdminDeps, caller: Caller, request: ZoneRequest): Promise<ChangeResponse> {
  if (!request.confirm && request.options?.planOnly !== true) {
    throw new AegirError('failed_precondition', `cannot remove ${request.zone}: it was not confirmed; say --yes`);
  }
  const asked = { method: 'zone.remove' as const, zone: request.zone, confirm: request.confirm };
  return removeBy(deps, caller, request.options, asked, (graph) => {
    const zone = zoneOf(graph, request.zone);
    requireEmptyZone(graph, zone);
    // Records are published in it by its name.
    const ids = [zone.id, JSON.stringify(zone.name)];
    return { plan: planRemoveZone(graph, zone), what: `remove zone ${displayName(zone.name)}`, ids };
  });
}

/** The only one that carries zones, where none is named; the null engine carries none. */
function chooseZoneService(graph: Graph, ref: string, zone: string): ServiceRecord {
  const what = `zone ${zone}`;
  if (ref !== '') {
    const service = graph.service(ref, 'dns');
    requireUsable(graph, service, 'dns', what);
    if (service.engine !== 'null') return service;
    throw new AegirError(
      'failed_precondition',
      `cannot use ${graph.serviceName(service)} for ${what}: null only tells people what to set, it needs no zones`,
    );
  }
  const carrying = graph.enabled('dns').filter((service) => service.engine !== 'null');
  return onlyOne(graph, carrying, {
    ...{ type: 'dns', what, how: 'by --service' },
    none:
      'none that carries zones is enabled; enable bind or powerdns of a server (aegir service list --all shows what is ' +
      'there), or: aegir service declare --help',
  });
}

function requireSigning(graph: Graph, service: ServiceRecord, values: ZoneValues): void {
  if (!values.dnssec || service.detected.capabilities.includes('dnssec')) return;
  throw new AegirError(
    'failed_precondition',
    `cannot sign the zone: ${graph.serviceName(service)} does not sign zones for Aegir; sign it where it is kept`,
  );
}

/** The zone's own records are those of who made it. */
function requireMaking(
  graph: Graph,
  service: ServiceRecord,
  nameservers: readonly string[],
  contact: string | undefined,
): void {
  if ((nameservers.length === 0 && !contact) || service.detected.capabilities.includes('zones')) return;
  throw new AegirError(
    'failed_precondition',
    `cannot set name servers or contact of the zone: ${graph.serviceName(service)} does not make zones for Aegir; set ` +
      'them where it was made',
  );
}

function checkValues(values: ZoneValues): ZoneValues {
  const refuse = (why: string): never => {
    throw new AegirError('invalid_argument', `cannot use that for a zone: ${why}`);
  };
  if (values.nameservers.length > MAX_NAMESERVERS) refuse(`${MAX_NAMESERVERS} name servers are the most`);
  const nameservers = values.nameservers.map((one) => hostName(one, 'name server'));
  if (new Set(nameservers).size !== nameservers.length) refuse('a name server is there twice');
  mailAddress(values.contact, 'contact of the zone');
  if (values.ttlPolicy !== 'normal' && values.ttlPolicy !== 'low') refuse('its TTL policy is normal or low');
  const times = { ttl: values.ttl, 'low TTL': values.lowTtl, 'negative TTL': values.negativeTtl };
  for (const [what, seconds] of Object.entries(times)) {
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_TTL) refuse(`its ${what} must be 1 to ${MAX_TTL} s`);
  }
  if (values.lowTtl > values.ttl) refuse(`its low TTL (${values.lowTtl} s) is over its TTL (${values.ttl} s)`);
  if (values.leadSeconds < 0 || values.leadSeconds > 30 * 86_400) refuse('its lead must be 0 to 30 days');
  return { ...values, nameservers };
}
