// Pure: what an agent detected against what the graph has. The agent's word is authoritative: what it no longer reports
// is missing; what it found again is what it was before.
import { DetectedService } from '../../shared/gen/aegir/v1/agent.ts';
import { isServiceType } from '../../shared/vocabulary.ts';
import type { ServiceRecord } from '../store/model.ts';

export interface Reconciliation {
  readonly insert: readonly ServiceRecord[];
  readonly update: readonly {
    readonly id: string;
    readonly patch: Partial<Omit<ServiceRecord, 'id'>>;
  }[];
  /** Missing ones that nobody ever enabled, when there are too many. */
  readonly remove: readonly string[];
}

/** Most services of one server, the missing ones among them. */
const MAX_KEPT = 1000;

/** known: all services of the server. newIds: an id for each detected one, in case it is new. */
export function reconcile(
  serverId: string,
  known: readonly ServiceRecord[],
  detected: readonly DetectedService[],
  newIds: readonly string[],
): Reconciliation {
  const byPlace = new Map(known.map((service) => [place(service), service]));
  const found = new Set<string>();
  const insert: ServiceRecord[] = [];
  const update: { id: string; patch: Partial<Omit<ServiceRecord, 'id'>> }[] = [];

  detected.forEach((service, at) => {
    const before = byPlace.get(place(service));
    if (before !== undefined) {
      found.add(before.id);
      const patch = {
        ...(before.state === 'missing' ? { state: before.stateBefore } : {}),
        ...(same(before.detected, service) ? {} : { detected: service }),
      };
      if (Object.keys(patch).length > 0) update.push({ id: before.id, patch });
      return;
    }
    const type = service.type;
    const id = newIds[at];
    if (id === undefined || (type !== '' && !isServiceType(type))) return;
    insert.push({
      id,
      serverId,
      type,
      engine: service.engine,
      instance: service.instance,
      state: 'detected',
      stateBefore: 'detected',
      detected: service,
      origin: 'detected',
      settings: {},
      secrets: {},
    });
  });

  for (const service of known) {
    if (found.has(service.id) || service.state === 'missing' || service.origin === 'declared') continue;
    update.push({ id: service.id, patch: { state: 'missing', stateBefore: service.state } });
  }
  const tooMany = known.length + insert.length - MAX_KEPT;
  const forgettable = known.filter(
    (service) => !found.has(service.id) && service.state === 'missing' && service.stateBefore === 'detected',
  );
  return { insert, update, remove: tooMany > 0 ? forgettable.slice(0, tooMany).map((service) => service.id) : [] };
}

function place(service: { readonly type: string; readonly engine: string; readonly instance: string }): string {
  return JSON.stringify([service.type, service.engine, service.instance]);
}

function same(a: DetectedService, b: DetectedService): boolean {
  return JSON.stringify(DetectedService.toJSON(a)) === JSON.stringify(DetectedService.toJSON(b));
}
