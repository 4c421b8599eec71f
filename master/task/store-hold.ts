// Who works in a store: many bring and read backups there, or one removes what nothing names, never both. Durable, so
// that neither a restart nor another master forgets it; what a task held counts no more once the task has ended.
//
// Nor does what a stuck task shares, which waits for a person, and may for weeks: nothing of it is at work, a prune leaves
// alone what an open task names (see plans' locks), and before it goes on it holds the store again (hold-again.ts). What
// one holds alone stays its own when it is stuck: its agent may be silent, and still remove.
import { AegirError } from '../../shared/error.ts';
import { nameOnServer } from '../../shared/service-name.ts';
import { placeOf } from '../graph/stores.ts';
import { ENDED_TASK_STATES, type TaskRecord } from '../store/model.ts';
import type { StoreHoldRecord } from '../store/model-backup.ts';
import type { Store, Tx } from '../store/store.ts';

export type HoldMode = 'shared' | 'exclusive';

export interface HoldWish {
  readonly places: readonly string[];
  readonly mode: HoldMode;
  /** Lead to the places; see holdStores. */
  readonly services?: readonly string[];
  /** Who wants them alone lets those that come later pass. */
  readonly givesWay?: boolean;
}

/**
 * Tasks that stand in the way; none when it holds all of them now. All or none, so that nobody waits with half in hand.
 * services lead to the places: throws failed_precondition where one leads elsewhere by now. While it holds, none is led
 * elsewhere, as whoever does that holds the place alone. May be repeated: who holds them goes on holding them.
 */
export async function holdStores(
  store: Store,
  taskId: string,
  { places, mode, services = [], givesWay = false }: HoldWish,
): Promise<readonly TaskRecord[]> {
  return store.transaction(async (tx) => {
    for (const id of services) {
      const service = await tx.services.get(id);
      if (service === undefined || places.includes(placeOf(service))) continue;
      const server = (await tx.servers.get(service.serverId))?.name ?? service.serverId;
      throw new AegirError(
        'failed_precondition',
        `cannot use ${server}/${nameOnServer(service)}: it keeps backups elsewhere since this was decided; ask for it anew`,
      );
    }
    const others = new Map<string, TaskRecord>();
    const asked = (await tx.tasks.get(taskId))?.seq ?? Number.POSITIVE_INFINITY;
    for (const place of places) {
      const there = await living(tx, place);
      if (there.some(({ hold }) => hold.taskId === taskId && hold.mode === mode)) continue;
      for (const { hold, task } of there) {
        if (hold.taskId === taskId) continue;
        // One that wants it alone comes before those that come later, or it would wait for ever. Also before one that wants
        // it alone later: it may be about to say that this place is another one, which is in use.
        if (mode === 'shared' ? hold.mode !== 'shared' : hold.mode !== 'wanted' || task.seq < asked)
          others.set(task.id, task);
      }
    }
    const free = others.size === 0;
    for (const place of places) {
      if (free) await put(tx, place, taskId, mode);
      else if (mode === 'exclusive' && !givesWay) await put(tx, place, taskId, 'wanted');
      else if (mode === 'exclusive') await tx.storeHolds.delete(idOf(place, taskId));
    }
    return [...others.values()];
  });
}

async function put(tx: Tx, place: string, taskId: string, mode: StoreHoldRecord['mode']): Promise<void> {
  const id = idOf(place, taskId);
  if ((await tx.storeHolds.get(id)) === undefined) await tx.storeHolds.insert({ id, store: place, taskId, mode });
  else await tx.storeHolds.update(id, { mode });
}

/** Repeatable. */
export async function releaseStores(store: Store, taskId: string, places: readonly string[]): Promise<void> {
  for (const place of places) await store.storeHolds.delete(idOf(place, taskId));
}

function idOf(place: string, taskId: string): string {
  return `${place} ${taskId}`;
}

/** Those that count no more go. */
async function living(tx: Tx, place: string) {
  const holds = [];
  for (const hold of await tx.storeHolds.find({ store: place })) {
    const task = await tx.tasks.get(hold.taskId);
    if (task === undefined || countsNoMore(hold, task)) await tx.storeHolds.delete(hold.id);
    else holds.push({ hold, task });
  }
  return holds;
}

function countsNoMore({ mode }: StoreHoldRecord, { state }: TaskRecord): boolean {
  return (ENDED_TASK_STATES as readonly string[]).includes(state) || (state === 'stuck' && mode === 'shared');
}
