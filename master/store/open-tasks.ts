// The tasks that are not over, for those who must know what is at work.
import { OPEN_TASK_STATES, type TaskRecord } from './model.ts';
import type { Tx } from './store.ts';

const MOST_TASKS = 1000;

/** By state; of each state the newest thousand. */
export async function openTasks(tx: Tx): Promise<readonly TaskRecord[]> {
  const open: TaskRecord[] = [];
  for (const state of OPEN_TASK_STATES) open.push(...(await tx.tasks.list({ state, limit: MOST_TASKS })));
  return open;
}
