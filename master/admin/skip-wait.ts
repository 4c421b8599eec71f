// A person's word that a move which waits for DNS, or for late visitors of the old server, goes on without.
import { AegirError } from '../../shared/error.ts';
import type { SkipWaitRequest, Task } from '../../shared/gen/aegir/v1/admin.ts';
import { skipMark } from '../task/skip-mark.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { skippable } from './skippable.ts';
import { getTask, type Verbs } from './task.ts';
import { planOf } from './view-task.ts';

/** Repeatable. The task goes on when it looks next, in a minute at most. */
export async function skipWait(
  deps: AdminDeps,
  caller: Caller,
  request: SkipWaitRequest,
  verbs: Pick<Verbs, 'requireRight'>,
): Promise<Task> {
  const task = await deps.store.tasks.get(request.taskId);
  if (task === undefined) {
    throw new AegirError('not_found', `cannot find task ${JSON.stringify(request.taskId)}; see: aegir task list`);
  }
  verbs.requireRight(caller, task.verb, planOf(task).request);
  await deps.store.transaction(async (tx) => {
    const open = skippable(task, await tx.steps.ofTask(task.id));
    if (open === undefined) {
      throw new AegirError(
        'failed_precondition',
        `cannot skip what task ${task.id} waits for: only a move goes on without, and only without DNS that leads to the new place, or a time without visitors at the old one; see: aegir task show ${task.id}`,
      );
    }
    const id = skipMark(task.id, open.step);
    if ((await tx.settings.get(id)) === undefined) await tx.settings.insert({ id, value: caller.actor });
  });
  deps.wakeRunner();
  return getTask(deps, { taskId: task.id });
}
