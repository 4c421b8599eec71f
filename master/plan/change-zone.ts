// Plans about zones: add, set, verify, remove, and the records that people declare in them.
import { displayName } from '../../shared/name.ts';
import { createGraph, type Graph } from '../graph/graph.ts';
import { sitesByHand, sitesInZone } from '../graph/zone-rules.ts';
import type { DnsRecordRecord, ZoneRecord } from '../store/model.ts';
import type { Plan, PlannedRecord, PlanStep, ZoneValues } from './plan.ts';
import { siteRecordSets, ttlOf } from './site-records.ts';
import { dnsPublish } from './steps.ts';
import type { Verb } from './verbs.ts';

const LOOKS = { none: 'it only brings back what is declared' } as const;

/** Whether the engine makes zones; otherwise they are made where the service's server is kept. */
export function makesZones(graph: Graph, zone: ZoneRecord): boolean {
  return graph.service(zone.serviceId).detected.capabilities.includes('zones');
}

function plan(zone: ZoneRecord, verb: Verb, summary: string, steps: readonly PlanStep[], more?: Partial<Plan>): Plan {
  return {
    verb,
    subjectId: zone.id,
    subject: zone.name,
    summary,
    steps,
    warnings: [],
    pointOfNoReturn: null,
    locks: [`zone/${zone.id}`],
    ...more,
  };
}

/** Those that people declared, as they shall be published. */
export function declaredRecords(zone: ZoneRecord, records: readonly DnsRecordRecord[]): readonly PlannedRecord[] {
  return records.map(({ name, type, ttl, data }) => ({ name, type, ttl: ttl ?? ttlOf(zone), data }));
}

function applyStep(
  graph: Graph,
  zone: ZoneRecord,
  before: 'absent' | 'present',
  was: ZoneValues | null = null,
): readonly PlanStep[] {
  if (!makesZones(graph, zone)) return [];
  const service = graph.service(zone.serviceId);
  return [
    {
      kind: 'zone.apply',
      args: { zoneId: zone.id, serviceId: service.id, before, was },
      summary: `${before === 'absent' ? 'Make' : 'Check'} zone ${displayName(zone.name)} on ${graph.serviceName(service)}`,
      serverId: service.serverId,
      undo: before === 'absent' ? { summary: 'remove it' } : was === null ? LOOKS : { summary: 'make it what it was' },
    },
  ];
}

/** Where somebody else keeps the zone, publishing nothing in it shows that it is there and is ours to change. */
function lookStep(graph: Graph, zone: ZoneRecord): readonly PlanStep[] {
  if (makesZones(graph, zone)) return [];
  const service = graph.service(zone.serviceId);
  return [
    {
      kind: 'zone.publish',
      args: { zoneId: zone.id, serviceId: service.id, records: [], before: [] },
      summary: `See that ${graph.serviceName(service)} carries ${displayName(zone.name)}`,
      serverId: service.serverId,
      undo: LOOKS,
    },
  ];
}

/** Empty when nothing was, is or shall be declared. */
function recordsStep(
  graph: Graph,
  zone: ZoneRecord,
  wanted: readonly PlannedRecord[],
  before: readonly PlannedRecord[],
): readonly PlanStep[] {
  if (wanted.length + before.length === 0) return [];
  const service = graph.service(zone.serviceId);
  const changed = JSON.stringify(wanted) !== JSON.stringify(before);
  return [
    {
      kind: 'zone.publish',
      args: { zoneId: zone.id, serviceId: service.id, records: wanted, before },
      summary: `Publish the records declared in ${displayName(zone.name)} by ${graph.serviceName(service)}`,
      serverId: service.serverId,
      undo: changed ? { summary: 'publish those of before' } : LOOKS,
    },
  ];
}

/** was: the graph of before, where undoing shall bring its records back. */
function sitesSteps(graph: Graph, zone: ZoneRecord, was?: Graph): readonly PlanStep[] {
  return sitesInZone(graph, zone)
    .filter((site) => site.state === 'enabled' || site.state === 'disabled')
    .flatMap((site) => {
      const old = was && siteRecordSets(was, site).find((set) => set.zone === zone.name)?.records;
      return dnsPublish(graph, site, 'present').flatMap((step) => {
        if (step.kind !== 'dns.publish' || step.args.zone !== zone.name) return [];
        if (old === undefined) return [step];
        return [{ ...step, args: { ...step.args, was: old }, undo: { summary: 'publish those of before' } }];
      });
    });
}

function stateStep(zone: ZoneRecord, to: 'active' | 'deleting', before: ZoneRecord['state'] | 'absent'): PlanStep {
  return {
    kind: 'zone.record',
    args: { zoneId: zone.id, to, before },
    summary: `Record zone ${displayName(zone.name)} as ${to}`,
    serverId: null,
    undo: { summary: before === 'absent' ? 'forget the zone' : `record it as ${before}` },
  };
}

/** zone is the record to be, saved with the task; graph holds it. Sites that have names in it are published there. */
export function planAddZone(graph: Graph, zone: ZoneRecord): Plan {
  return plan(
    zone,
    'zone.add',
    `Add zone ${displayName(zone.name)} on ${graph.serviceName(graph.service(zone.serviceId))}`,
    // The undo of the first forgets the zone, when all else was undone.
    [
      stateStep(zone, 'active', 'absent'),
      ...applyStep(graph, zone, 'absent'),
      ...lookStep(graph, zone),
      ...sitesSteps(graph, zone),
    ],
    {
      warnings: [
        ...(makesZones(graph, zone)
          ? [`Delegate ${zone.name} to ${zone.nameservers.join(', ')} at your registrar, if it is not.`]
          : []),
        ...sitesByHand(graph, zone).map(
          ({ name }) =>
            `Names of ${displayName(name)} stay in your hands; to have them published here: aegir site rebind ${name} --dns ${graph.serviceName(graph.service(zone.serviceId))}`,
        ),
      ],
    },
  );
}

/** Zone, declared records and those of its sites: whatever was changed by hand is mended; foreign records stay. */
export function planVerifyZone(graph: Graph, zone: ZoneRecord): Plan {
  const declared = declaredRecords(zone, graph.recordsOf(zone.id));
  return plan(zone, 'zone.verify', `Verify zone ${displayName(zone.name)} and mend what drifted`, [
    ...applyStep(graph, zone, 'present'),
    ...(declared.length === 0 ? lookStep(graph, zone) : recordsStep(graph, zone, declared, declared)),
    ...sitesSteps(graph, zone),
  ]);
}

export function valuesOf(zone: ZoneRecord): ZoneValues {
  const { nameservers, contact, ttl, lowTtl, ttlPolicy, leadSeconds, negativeTtl, dnssec } = zone;
  return { nameservers, contact, ttl, lowTtl, ttlPolicy, leadSeconds, negativeTtl, dnssec };
}

export function planSetZone(graph: Graph, zone: ZoneRecord, to: ZoneValues): Plan {
  const changed: ZoneRecord = { ...zone, ...to };
  const after = createGraph({ ...graph, zones: graph.zones.map((each) => (each.id === zone.id ? changed : each)) });
  const records = graph.recordsOf(zone.id);
  const steps: readonly PlanStep[] = [
    {
      kind: 'zone.set',
      args: { zoneId: zone.id, to, before: valuesOf(zone) },
      summary: `Record what ${displayName(zone.name)} shall be`,
      serverId: null,
      undo: { summary: 'record what it was' },
    },
    ...applyStep(after, changed, 'present', valuesOf(zone)),
    ...recordsStep(after, changed, declaredRecords(changed, records), declaredRecords(zone, records)),
    ...sitesSteps(after, changed, graph),
  ];
  const same = JSON.stringify(to) === JSON.stringify(valuesOf(zone));
  return plan(zone, 'zone.set', `Change zone ${displayName(zone.name)}`, same ? [] : steps);
}

/** Goes only forward from the removal on; before it, nothing has changed. */
export function planRemoveZone(graph: Graph, zone: ZoneRecord): Plan {
  const service = graph.service(zone.serviceId);
  const gone = { none: 'what is removed cannot come back' } as const;
  const removal: readonly PlanStep[] = makesZones(graph, zone)
    ? [
        {
          kind: 'zone.remove',
          args: { zoneId: zone.id, serviceId: service.id, name: zone.name },
          summary: `Remove zone ${displayName(zone.name)} with everything in it from ${graph.serviceName(service)}`,
          serverId: service.serverId,
          undo: gone,
        },
      ]
    : recordsStep(graph, zone, [], declaredRecords(zone, graph.recordsOf(zone.id)));
  return plan(
    zone,
    'zone.remove',
    `Remove zone ${displayName(zone.name)}`,
    [
      stateStep(zone, 'deleting', zone.state),
      ...removal,
      {
        kind: 'zone.forget',
        args: { zoneId: zone.id },
        summary: `Forget ${displayName(zone.name)} and the records declared in it`,
        serverId: null,
        undo: gone,
      },
    ],
    {
      pointOfNoReturn: 1,
      warnings: makesZones(graph, zone) ? ['All records in the zone go, also those that Aegir did not make.'] : [],
    },
  );
}

export function planChangeRecords(
  graph: Graph,
  zone: ZoneRecord,
  verb: 'record.add' | 'record.remove',
  changes: { readonly add: readonly DnsRecordRecord[]; readonly remove: readonly DnsRecordRecord[] },
): Plan {
  const there = graph.recordsOf(zone.id);
  const gone = new Set(changes.remove.map(({ id }) => id));
  const wanted = [...there.filter(({ id }) => !gone.has(id)), ...changes.add];
  const words = [...changes.add, ...changes.remove].map(
    ({ name, type, data }) => `${displayName(name)} ${type} ${data}`,
  );
  const add = verb === 'record.add';
  return plan(zone, verb, `${add ? 'Declare' : 'Take back'} ${words.join(', ')} in ${displayName(zone.name)}`, [
    {
      kind: 'zone.declare',
      args: {
        zoneId: zone.id,
        add: changes.add.map((one) => ({ ...one })),
        remove: changes.remove.map((one) => ({ ...one })),
      },
      summary: `Record what is declared in ${displayName(zone.name)}`,
      serverId: null,
      undo: { summary: 'record what was declared before' },
    },
    ...recordsStep(graph, zone, declaredRecords(zone, wanted), declaredRecords(zone, there)),
  ]);
}
