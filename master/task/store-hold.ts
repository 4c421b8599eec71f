// Who works in a store: many bring and read backups there, or one removes what nothing names, never both. Durable, so
// that neither a restart nor another master forgets it; what a task held counts no more once the task has ended.
import { ENDED_TASK_STATES } from '../store/model.ts';
import type { Store, Tx } from '../store/store.ts';

export type HoldMode = 'shared' | 'exclusive';

/** What stands in the way; empty when it holds all of them now. All or none, so that nobody waits with half in hand. */
export async function holdStores(
  store: Store,
  taskId: string,
  places: readonly string[],
  mode: HoldMode,
): Promise<readonly string[]> {
  return store.transaction(async (tx) => {
    const others: string[] = [];
    for (const place of places) {
      for (const hold of await living(tx, place)) {
        if (hold.taskId === taskId) continue;
        // One that wants it alone comes before those that come later, or it would wait for ever.
        if (mode === 'shared' ? hold.mode !== 'shared' : hold.mode !== 'wanted') others.push(hold.taskId);
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
    } else holds.push(hold);
  }
  return holds;
}
