// The verbs of declared services, zones and their records, as cases.ts has those of sites and servers.
import { createGraph, type GraphSnapshot } from '../../graph/graph.ts';
import { planDeclareService, planSetService } from '../../plan/change-service.ts';
import {
  planAddZone,
  planChangeRecords,
  planRemoveZone,
  planSetZone,
  planVerifyZone,
  valuesOf,
} from '../../plan/change-zone.ts';
import type { Plan } from '../../plan/plan.ts';
import type { DnsRecordRecord, ServiceRecord, ZoneRecord } from '../../store/model.ts';

export interface ZoneCase {
  readonly name: string;
  readonly plan: Plan;
  readonly ground: GraphSnapshot;
  readonly world: readonly string[];
  readonly doneWorld: readonly string[];
  /** The graph when done. When undone it is as before. */
  readonly done: GraphSnapshot;
  readonly undone: GraphSnapshot;
}

/** served: the world of the site in the snapshot, whose names the zone holds. */
export function zoneCases(snapshot: GraphSnapshot, served: readonly string[]): readonly ZoneCase[] {
  const [, , dns] = snapshot.services as [ServiceRecord, ServiceRecord, ServiceRecord];
  const bind: ServiceRecord = {
    ...dns,
    id: 'svc-0123456789abcde9',
    engine: 'bind',
    detected: { ...dns.detected, engine: 'bind', capabilities: ['zones', 'dnssec'] },
  };
  const zone: ZoneRecord = {
    ...{ id: 'zone-0123456789abcde1', name: 'example.org', serviceId: bind.id, state: 'active' },
    ...{ nameservers: ['ns1.example.net'], contact: 'hostmaster@example.org', ttl: 3600, lowTtl: 60 },
    ...{ ttlPolicy: 'normal', leadSeconds: 86_400, negativeTtl: 300, dnssec: false, createdAt: 4 },
  };
  const mail: DnsRecordRecord = {
    ...{ id: 'rec-0123456789abcde1', zoneId: zone.id, name: 'example.org', type: 'MX', ttl: null },
    data: '10 mail.example.org',
  };
  const text: DnsRecordRecord = { ...mail, id: 'rec-0123456789abcde2', type: 'TXT', ttl: 60, data: '"v=spf1 mx -all"' };

  const ground = (patch: Partial<GraphSnapshot>): GraphSnapshot => ({
    ...snapshot,
    services: [...snapshot.services, bind],
    ...patch,
  });
  const there = ground({ zones: [zone], records: [mail] });
  const adding: ZoneRecord = { ...zone, state: 'new' };
  const at = `${bind.serverId} zone zone/${zone.id}`;
  const records = `${bind.serverId} dns zone/${zone.id}`;
  const mx = `${records} example.org 3600 MX ${mail.data}`;
  const world = [...served, `${at} 3600`, mx].sort();
  const changed = { ...valuesOf(zone), ttl: 7200, dnssec: true };

  const declared: ServiceRecord = {
    ...bind,
    ...{
      id: 'svc-0123456789abcdf0',
      engine: 'rfc2136',
      state: 'detected',
      stateBefore: 'detected',
      origin: 'declared',
    },
    ...{ settings: { server: '192.0.2.53' }, secrets: { key: 'sec-0123456789abcdf1' } },
    detected: { ...bind.detected, engine: 'rfc2136', capabilities: [] },
  };
  const enabled: ServiceRecord = { ...declared, state: 'enabled', stateBefore: 'enabled' };
  const to = { settings: { server: '192.0.2.54' }, secrets: { key: 'sec-0123456789abcdf2' } };
  const none = { backups: [], are: 'unsaid' } as const;
  const withService = (service: ServiceRecord) => ground({ services: [...snapshot.services, bind, service] });

  return [
    {
      ...{ name: 'service declare', plan: planDeclareService(createGraph(ground({})), declared) },
      ...{ ground: withService(declared), world: served, doneWorld: served },
      ...{ done: withService(enabled), undone: ground({}) },
    },
    {
      ...{ name: 'service set', plan: planSetService(createGraph(withService(enabled)), enabled, to, none) },
      ground: withService({ ...enabled, secrets: { ...enabled.secrets, ...{ new: to.secrets.key } } }),
      ...{ world: served, doneWorld: served },
      ...{ done: withService({ ...enabled, ...to }), undone: withService(enabled) },
    },
    {
      ...{ name: 'zone add', plan: planAddZone(createGraph(ground({ zones: [adding] })), adding) },
      ...{ ground: ground({ zones: [adding] }), world: served, doneWorld: [...served, `${at} 3600`].sort() },
      ...{ done: ground({ zones: [zone] }), undone: ground({}) },
    },
    {
      ...{ name: 'zone verify', plan: planVerifyZone(createGraph(there), zone), ground: there },
      ...{ world, doneWorld: world, done: there, undone: there },
    },
    {
      ...{ name: 'zone set', plan: planSetZone(createGraph(there), zone, changed), ground: there, world },
      doneWorld: [...served, `${at} 7200 signed`, `${records} example.org 7200 MX ${mail.data}`].sort(),
      ...{ done: ground({ zones: [{ ...zone, ...changed }], records: [mail] }), undone: there },
    },
    {
      ...{ name: 'zone remove', plan: planRemoveZone(createGraph(there), zone), ground: there, world },
      ...{ doneWorld: [...served].sort(), done: ground({}), undone: there },
    },
    {
      name: 'record add',
      plan: planChangeRecords(createGraph(there), zone, 'record.add', { add: [text], remove: [] }),
      ...{ ground: there, world, doneWorld: [...world, `${records} example.org 60 TXT ${text.data}`].sort() },
      ...{ done: ground({ zones: [zone], records: [mail, text] }), undone: there },
    },
    {
      name: 'record remove',
      plan: planChangeRecords(createGraph(there), zone, 'record.remove', { add: [], remove: [mail] }),
      ...{ ground: there, world, doneWorld: world.filter((line) => line !== mx) },
      ...{ done: ground({ zones: [zone] }), undone: there },
    },
  ];
}
