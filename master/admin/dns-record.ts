// Records of zones: list those of people and of sites, declare, take back.
import { AegirError } from '../../shared/error.ts';
import type {
  AddRecordRequest,
  ChangeResponse,
  ListRecordsRequest,
  ListRecordsResponse,
  Record as RecordMessage,
  RemoveRecordRequest,
} from '../../shared/gen/aegir/v1/admin.ts';
import type { Graph } from '../graph/graph.ts';
import { recordData, recordName, recordType } from '../graph/record-data.ts';
import { requireRecord, sitesInZone } from '../graph/zone-rules.ts';
import { declaredRecords, planChangeRecords } from '../plan/change-zone.ts';
import { siteRecordSets } from '../plan/site-records.ts';
import type { DnsRecordRecord, ZoneRecord } from '../store/model.ts';
import { change } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { loadGraph } from './load.ts';
import { pageOf } from './page.ts';
import { zoneOf } from './zone.ts';

const MAX_TTL = 604_800;
const MAX_RECORDS = 10_000; // of one zone

export async function listRecords(deps: AdminDeps, request: ListRecordsRequest): Promise<ListRecordsResponse> {
  const graph = await loadGraph(deps.store);
  const zone = zoneOf(graph, request.zone);
  const declared = graph.recordsOf(zone.id);
  const published = declaredRecords(zone, declared);
  const records: RecordMessage[] = [
    ...published.map((record, at) => ({ ...record, id: declared[at]?.id ?? '', site: '' })),
    ...sitesInZone(graph, zone).flatMap((site) =>
      siteRecordSets(graph, site)
        .filter((set) => set.zone === zone.name)
        .flatMap((set) => set.records.map((record) => ({ ...record, id: '', site: site.name }))),
    ),
  ];
  const page = pageOf(records, ({ name, type, data }) => `${name} ${type} ${data}`, request);
  return { records: [...page.items], nextPageToken: page.nextPageToken };
}

export async function addRecord(deps: AdminDeps, caller: Caller, request: AddRecordRequest): Promise<ChangeResponse> {
  const type = recordType(request.type);
  const data = recordData(type, request.data);
  if (request.ttl > MAX_TTL) {
    throw new AegirError('invalid_argument', `cannot use a TTL of ${request.ttl} s: ${MAX_TTL} are the most`);
  }
  const id = deps.newId('rec');
  const { options, ...asked } = request;
  return change(deps, caller, options, { method: 'record.add', ...asked }, (graph) => {
    const { zone, name } = placeOf(graph, request.zone, request.name);
    const record: DnsRecordRecord = {
      ...{ id, zoneId: zone.id, name, type, data },
      ttl: request.ttl === 0 ? null : request.ttl,
    };
    requireRecord(graph, zone, record);
    if (graph.recordsOf(zone.id).length >= MAX_RECORDS) {
      throw new AegirError('resource_exhausted', `cannot add a record to ${zone.name}: it has ${MAX_RECORDS} already`);
    }
    return { plan: planChangeRecords(graph, zone, 'record.add', { add: [record], remove: [] }) };
  });
}

export async function removeRecord(
  deps: AdminDeps,
  caller: Caller,
  request: RemoveRecordRequest,
): Promise<ChangeResponse> {
  const { options, ...asked } = request;
  return change(deps, caller, options, { method: 'record.remove', ...asked }, (graph) => {
    const found = request.name.startsWith('rec-') ? byId(graph, request.name) : byPlace(graph, request);
    return { plan: planChangeRecords(graph, found.zone, 'record.remove', { add: [], remove: found.records }) };
  });
}

function byId(graph: Graph, id: string): { zone: ZoneRecord; records: readonly DnsRecordRecord[] } {
  const record = graph.records.find((each) => each.id === id);
  if (record === undefined) throw new AegirError('not_found', `cannot find record ${id}; see: aegir record list ZONE`);
  return { zone: graph.zone(record.zoneId), records: [record] };
}

function byPlace(graph: Graph, request: RemoveRecordRequest) {
  const { zone, name } = placeOf(graph, request.zone, request.name);
  const type = request.type === '' ? undefined : recordType(request.type);
  const data = type === undefined || request.data === '' ? undefined : recordData(type, request.data);
  const records = graph
    .recordsOf(zone.id)
    .filter(
      (one) =>
        one.name === name && (type === undefined || one.type === type) && (data === undefined || one.data === data),
    );
  if (records.length > 0) return { zone, records };
  const what = [type, request.data].filter((word) => word !== undefined && word !== '').join(' ');
  const site =
    type === undefined || type === 'A' || type === 'AAAA'
      ? graph.sites.find((each) => [each.name, ...each.aliases].includes(name))
      : undefined;
  throw new AegirError(
    'not_found',
    site === undefined
      ? `cannot take back ${what === '' ? 'records' : what} of ${name}: none is declared in ${zone.name}`
      : `cannot take back records of ${name}: they are those of site ${site.name}, which publishes them itself`,
  );
}

/** The zone that is named, or the nearest that holds the name; "@" is its apex. */
function placeOf(graph: Graph, zoneRef: string, nameText: string): { zone: ZoneRecord; name: string } {
  if (zoneRef !== '') {
    const zone = zoneOf(graph, zoneRef);
    return { zone, name: recordName(nameText, zone.name) };
  }
  if (nameText === '@')
    throw new AegirError('invalid_argument', 'cannot tell whose apex "@" is: name the zone with --zone');
  const name = recordName(nameText, '');
  const zone = graph.zoneOf(name.startsWith('*.') ? name.slice(2) : name);
  if (zone !== undefined) return { zone, name };
  const known = graph.zones.map((each) => each.name).join(', ') || 'none';
  throw new AegirError('not_found', `cannot find a zone for ${name}: known are ${known}; add one: aegir zone add ZONE`);
}
