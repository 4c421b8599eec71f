// Who works in a store: many bring and read backups there, or one removes what nothing names, never both. Durable, so
// that neither a restart nor another master forgets it; what a task held counts no more once the task has ended.
import { AegirError } from '../../shared/error.ts';
import { nameOnServer } from '../../shared/service-name.ts';
import { placeOf } from '../graph/stores.ts';
import { ENDED_TASK_STATES } from '../store/model.ts';
import type { Store, Tx } from '../store/store.ts';

export type HoldMode = 'shared' | 'exclusive';

/**
 * What stands in the way; empty when it holds all of them now. All or none, so that nobody waits with half in hand. services
 * lead to the places: throws failed_precondition where one leads elsewhere by now. While it holds, none is led elsewhere, as
 * whoever does that holds the place alone.
 */
export async function holdStores(
  store: Store,
  taskId: string,
  places: readonly string[],
  mode: HoldMode,
  services: readonly string[] = [],
): Promise<readonly string[]> {
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
    const others: string[] = [];
    const asked = (await tx.tasks.get(taskId))?.seq ?? Number.POSITIVE_INFINITY;
    for (const place of places) {
      for (const { hold, seq } of await living(tx, place)) {
        if (hold.taskId === taskId) continue;
        // One that wants it alone comes before those that come later, or it would wait for ever. Also before one that wants
        // it alone later: it may be about to say that this place is another one, which is in use.
        if (mode === 'shared' ? hold.mode !== 'shared' : hold.mode !== 'wanted' || seq < asked)
          others.push(hold.taskId);
      }
    }
    const free = others.length === 0;
    for (const place of places) {
      const id = idOf(place, taskId);
      const wanted = free ? mode : 'wanted';
      if (!free && mode === 'shared') continue;
      if ((await tx.storeHolds.get(id)) === undefined) {
        await tx.storeHolds.insert({ id, store: place, taskId, mode: wanted });
      } else await tx.storeHolds.update(id, { mode: wanted });
    }
    return [...new Set(others)];
  });
}

/** Repeatable. */
export async function releaseStores(store: Store, taskId: string, places: readonly string[]): Promise<void> {
  for (const place of places) await store.storeHolds.delete(idOf(place, taskId));
}

function idOf(place: string, taskId: string): string {
  return `${place} ${taskId}`;
}

/** Those of tasks that have ended go. */
async function living(tx: Tx, place: string) {
  const holds = [];
  for (const hold of await tx.storeHolds.find({ store: place })) {
    const task = await tx.tasks.get(hold.taskId);
    if (task === undefined || (ENDED_TASK_STATES as readonly string[]).includes(task.state)) {
      await tx.storeHolds.delete(hold.id);
    } else holds.push({ hold, seq: task.seq });
  }
  return holds;
}
