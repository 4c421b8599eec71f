// The steps by which DNS follows a site that moves: TTLs lowered ahead, answers switched and awaited, TTLs raised again.
import { displayName, isPublicName } from '../../shared/name.ts';
import { dnsThere } from '../graph/dns-along.ts';
import { dnsAwait, dnsStep, type Move, nameOf, quietStep, recordSets, serverOf, waitStep } from './move-steps.ts';
import type { PlannedRecord, PlanStep } from './plan.ts';
import { ttlOf } from './site-records.ts';

/** Clients that keep an address for ever do not keep the old server for ever. */
const MOST_QUIET_SECONDS = 7 * 86_400;

/** As dnsThere, of a site that moves. */
export function dnsAlong(move: Move): { readonly to: string; readonly before: string } | undefined {
  const { graph, site, from, to } = move;
  const before = site.bindings.dns;
  const its = dnsThere(graph, before, serverOf(move, from.http), serverOf(move, to.http));
  return before === undefined || its === undefined ? undefined : { to: its.id, before };
}

/** Seconds after which it goes on though somebody still comes. */
export function mostQuiet(quietSeconds: number): number {
  return Math.max(quietSeconds, MOST_QUIET_SECONDS);
}

/** In zones of ours whose answers live long: lowered, and waited for as long as the old ones may live. */
export function lowerSteps(move: Move): readonly PlanStep[] {
  const [normal, low] = [recordSets(move, move.from, 'normal'), recordSets(move, move.from, 'low')];
  const steps: PlanStep[] = [];
  let wait = 0;
  for (const [index, set] of low.entries()) {
    const was = normal[index]?.records ?? [];
    if (set.declared === undefined || JSON.stringify(was) === JSON.stringify(set.records)) continue;
    steps.push(
      dnsStep(
        move,
        set,
        set.records,
        was,
        `Lower the TTL of ${set.names.map(displayName).join(', ')} to ${set.records[0]?.ttl ?? 0} s`,
      ),
    );
    wait = Math.max(wait, ttlOf(set.declared), set.declared.leadSeconds);
  }
  if (wait > 0) steps.push(waitStep(wait, 'answers with the old TTL end'));
  return steps;
}

/** DNS leads to the new place; the old one hands on until its last answer has ended and nobody came for a while. */
export function switchSteps(
  move: Move,
  live: boolean,
  wasLowered: boolean,
  { quietSeconds, dnsWait }: { readonly quietSeconds: number; readonly dnsWait: boolean },
  oldServer: string,
): readonly PlanStep[] {
  const [low, normal] = [recordSets(move, move.to, 'low'), recordSets(move, move.to, 'normal')];
  const before = recordSets(move, move.from, 'normal');
  const steps: PlanStep[] = [];
  for (const set of low) {
    const names = set.names.map(displayName).join(', ');
    steps.push(dnsStep(move, set, set.records, undefined, `Point ${names} at ${nameOf(move, move.to.http)}`));
  }
  // Whoever does not wait answers for it: where the names never lead there, visitors end with the old copy.
  if (dnsWait) for (const set of low) steps.push(dnsAwait(move, set, set.records));
  if (live) {
    // Without a lead, old answers live as long as they always did.
    const ttl = longest(before);
    const lowered = longest(low);
    const ends = wasLowered ? lowered : ttl;
    if (ends > 0) steps.push(waitStep(ends, 'old DNS answers end; the old server hands visitors on'));
    steps.push(quietStep(move, oldServer, move.graph.server(oldServer).name, quietSeconds, mostQuiet(quietSeconds)));
  }
  for (const [index, set] of normal.entries()) {
    if (JSON.stringify(set.records) === JSON.stringify(low[index]?.records)) continue;
    steps.push(
      dnsStep(
        move,
        set,
        set.records,
        undefined,
        `Raise the TTL of ${set.names.map(displayName).join(', ')} to ${set.records[0]?.ttl ?? 0} s`,
      ),
    );
  }
  return steps;
}

/** Of answers that anybody can have got, seconds. */
function longest(sets: readonly { readonly zone: string; readonly records: readonly PlannedRecord[] }[]): number {
  const answers = sets.flatMap(({ zone, records }) => records.filter(({ name }) => zone !== '' || isPublicName(name)));
  return Math.max(0, ...answers.map(({ ttl }) => ttl));
}
