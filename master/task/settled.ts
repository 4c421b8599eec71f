// Whether the outcome of an action is durable here, so that its agent may forget it. Ids are made in perform.ts.
import { ENDED_TASK_STATES } from '../store/model.ts';
import type { Store } from '../store/store.ts';

export async function isSettled(store: Store, actionId: string): Promise<boolean> {
  const match = /^(task-[0-9a-z]{16})\.([0-9]{1,6})\.(do|undo)\.([0-9]{1,9})(?:\.[a-z0-9.-]{1,60})?$/.exec(actionId);
  if (match === null) return true; // not ours, and nobody will ask for it
  const [, taskId = '', index, direction, attempt] = match;
  const task = await store.tasks.get(taskId);
  if (task === undefined || (ENDED_TASK_STATES as readonly string[]).includes(task.state)) return true;
  const step = (await store.steps.ofTask(taskId)).find((each) => each.index === Number(index));
  if (step === undefined) return true;
  // Of other attempts nobody will ask: earlier ones have ended, and later ones were never asked for.
  if (direction === 'undo')
    return step.undoAttempts !== Number(attempt) || step.state === 'undone' || step.state === 'skipped';
  return step.attempts !== Number(attempt) || step.state !== 'doing';
}
