// Builders of the steps that moves of sites are made of.
import { displayName } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';
import type { SiteRecord } from '../store/model.ts';
import type { Deadline, Place, PlannedMove, PlannedRecord, PlanStep, Served } from './plan.ts';
import { siteRecordSets } from './site-records.ts';

const LOOKS = { none: 'it only looks' } as const;
const FORWARD = { none: 'from here on there is only forward' } as const;

export function placeOf(site: SiteRecord): Place {
  return { platformId: site.platformId, http: site.bindings.http, db: site.bindings.db ?? '' };
}

/** The site as it would be recorded there. */
export function siteAt(site: SiteRecord, { platformId, http, db }: Place): SiteRecord {
  const { db: _, ...others } = site.bindings;
  return { ...site, platformId, bindings: { ...others, http, ...(db === '' ? {} : { db }) } };
}

export interface Move {
  readonly graph: Graph;
  readonly site: SiteRecord;
  readonly from: Place;
  readonly to: Place;
}

export function serverOf({ graph }: Move, serviceId: string): string {
  return graph.service(serviceId).serverId;
}

export function nameOf({ graph }: Move, serviceId: string): string {
  return graph.serviceName(graph.service(serviceId));
}

export function moveStep(
  { site }: Move,
  to: PlannedMove | null,
  before: PlannedMove | null,
  summary: string,
): PlanStep {
  return {
    kind: 'site.move',
    args: { siteId: site.id, to, before },
    summary,
    serverId: null,
    undo: { summary: before === null ? 'record that it stays' : `record it as ${before.phase}` },
  };
}

export function checkStep(move: Move): PlanStep {
  const { graph, site, from, to } = move;
  return {
    kind: 'move.check',
    args: { siteId: site.id, from, to },
    summary: `Check that ${displayName(site.name)} can be on ${nameOf(move, to.http)}: platform ${graph.platform(to.platformId).name}, room, ports`,
    serverId: serverOf(move, to.http),
    undo: LOOKS,
  };
}

export function reachStep(move: Move): PlanStep {
  const { graph, site, from, to } = move;
  return {
    kind: 'move.reach',
    args: { siteId: site.id, from, to },
    summary: `Check that ${graph.server(serverOf(move, from.http)).name} reaches it there, to hand visitors on`,
    serverId: serverOf(move, from.http),
    undo: LOOKS,
  };
}

export function copyFiles(move: Move, round: number, deadline: Deadline | null): PlanStep {
  const { site, from, to } = move;
  const what = deadline === null ? (round === 1 ? 'Copy' : 'Copy what has changed of') : 'Copy the last changes of';
  return {
    kind: 'copy.files',
    args: { siteId: site.id, from, to, round, deadline },
    summary: `${what} the files of ${displayName(site.name)} to ${nameOf(move, to.http)}`,
    serverId: serverOf(move, to.http),
    undo: { summary: 'let go of what was kept for it' },
  };
}

export function copyDatabase(move: Move, round: number, deadline: Deadline | null, unless: number | null): PlanStep {
  const { site, from, to } = move;
  const what = deadline === null ? (round === 1 ? 'Copy' : 'Copy again') : 'Copy for the last time';
  const rest = unless === null || deadline === null ? '' : ', unless it follows';
  return {
    kind: 'copy.database',
    args: { siteId: site.id, from, to, round, deadline, unless },
    summary: `${what} the database of ${displayName(site.name)} to ${nameOf(move, to.db)}${rest}`,
    serverId: serverOf(move, to.db),
    undo: { summary: 'let go of what was kept for it' },
  };
}

export function publishAt(
  move: Move,
  place: Place,
  state: Served,
  before: 'absent' | Served,
  more: {
    readonly cron?: boolean;
    readonly upstream?: Place;
    readonly believes?: string;
    readonly closed?: boolean;
    readonly holds?: boolean;
    readonly summary: string;
    readonly undo?: PlanStep['undo'];
  },
): PlanStep {
  const { site } = move;
  const { summary, undo, cron = false, upstream, believes, closed = false, holds = false } = more;
  return {
    kind: 'http.publish',
    args: {
      serviceId: place.http,
      siteId: site.id,
      state,
      before,
      cron,
      place,
      ...(upstream === undefined ? {} : { upstream }),
      ...(believes === undefined ? {} : { believes }),
      ...(closed ? { closed } : {}),
      ...(holds ? { holds } : {}),
    },
    summary,
    serverId: serverOf(move, place.http),
    undo: undo ?? { summary: before === 'absent' ? 'take it off' : `have it ${before} again` },
  };
}

export function noteSettings(move: Move): PlanStep {
  const serverId = serverOf(move, move.from.http);
  return {
    kind: 'site.restore',
    args: { siteId: move.site.id, part: { of: 'files', serverId } },
    summary: `Note the settings of ${displayName(move.site.name)}`,
    serverId,
    undo: { summary: 'write them as they were' },
  };
}

export function gateHold(move: Move, maxHoldMillis: number, bound: 'undo' | 'maintenance'): PlanStep {
  const { site, from } = move;
  const past = bound === 'undo' ? 'then the move is given up' : 'then they are asked to come again';
  return {
    kind: 'gate.hold',
    args: { siteId: site.id, serviceId: from.http, maxHoldMillis },
    summary: `Open a gate that holds visitors on ${nameOf(move, from.http)}, for ${maxHoldMillis / 1000} s at most, ${past}`,
    serverId: serverOf(move, from.http),
    undo: { summary: 'hand those who wait to the site as it was, and close it' },
  };
}

export function gateForward(move: Move): PlanStep {
  const { site, from, to } = move;
  return {
    kind: 'gate.forward',
    args: { siteId: site.id, serviceId: from.http, to },
    summary: `Hand those who wait to ${nameOf(move, to.http)}`,
    serverId: serverOf(move, from.http),
    undo: FORWARD,
  };
}

export function gateClose(move: Move): PlanStep {
  const { site, from, to } = move;
  return {
    kind: 'gate.close',
    args: { siteId: site.id, serviceId: from.http, to },
    summary: 'Close the gate when nothing is left in it',
    serverId: serverOf(move, from.http),
    undo: FORWARD,
  };
}

/** Records of the site at a place, by service and zone, with a TTL of the zone's that is asked for. */
export function recordSets(move: Move, place: Place, ttl: 'normal' | 'low') {
  const { graph, site } = move;
  return siteRecordSets(graph, siteAt(site, place)).map((set) => {
    const zone = graph.zones.find(({ name }) => name === set.zone);
    const seconds = zone === undefined ? undefined : ttl === 'low' ? Math.min(zone.lowTtl, zone.ttl) : undefined;
    const records: readonly PlannedRecord[] =
      seconds === undefined
        ? set.records
        : set.records.map((record) => ({ ...record, ttl: Math.min(record.ttl, seconds) }));
    return { ...set, declared: zone, records };
  });
}

export function dnsStep(
  move: Move,
  set: { readonly service: { readonly id: string; readonly serverId: string }; readonly zone: string },
  records: readonly PlannedRecord[],
  was: readonly PlannedRecord[] | undefined,
  summary: string,
): PlanStep {
  return {
    kind: 'dns.publish',
    args: {
      serviceId: set.service.id,
      siteId: move.site.id,
      zone: set.zone,
      records,
      before: 'present',
      ...(was === undefined ? {} : { was }),
    },
    summary,
    serverId: set.service.serverId,
    undo: was === undefined ? FORWARD : { summary: 'publish those of before' },
  };
}

export function dnsAwait(
  move: Move,
  set: { readonly service: { readonly id: string; readonly serverId: string }; readonly zone: string },
  records: readonly PlannedRecord[],
): PlanStep {
  return {
    kind: 'dns.await',
    args: { serviceId: set.service.id, siteId: move.site.id, zone: set.zone, records },
    summary: `Wait until ${set.zone === '' ? 'look-ups show the new address' : `every name server of ${displayName(set.zone)} answers the new address`}`,
    serverId: set.service.serverId,
    undo: LOOKS,
  };
}

export function waitStep(seconds: number, why: string): PlanStep {
  return {
    kind: 'move.wait',
    args: { seconds, why },
    summary: `Wait ${spanOf(seconds)}: ${why}`,
    serverId: null,
    undo: { none: 'time passed' },
  };
}

export function quietStep({ site }: Move, serverId: string, server: string, seconds: number, most: number): PlanStep {
  return {
    kind: 'move.quiet',
    args: { siteId: site.id, serverId, seconds, most },
    summary: `Wait until nobody has come to ${server} for ${spanOf(seconds)}, ${spanOf(most)} at most`,
    serverId,
    undo: { none: 'time passed' },
  };
}

/** For people. */
export function spanOf(seconds: number): string {
  const units = [
    [86_400, 'day'],
    [3_600, 'hour'],
    [60, 'minute'],
  ] as const;
  for (const [size, unit] of units) {
    if (seconds >= size && seconds % size === 0) return `${seconds / size} ${unit}${seconds === size ? '' : 's'}`;
  }
  return `${seconds} s`;
}
