// Which moves wait in a step that may be left out, and what a person can do about a task that is in the way.
import type { StepArgs } from '../plan/plan.ts';
import { ENDED_TASK_STATES, type StepRecord, type TaskRecord } from '../store/model.ts';
import { isPastReturn } from '../task/state.ts';
import { planOf } from './view-task.ts';

/** What the open step of a task waits for, where it may be left. */
interface Skippable {
  /** Its index. */
  readonly step: number;
  readonly waits: string;
}

/** undefined when the task is not there. */
export function skippable(task: TaskRecord, steps: readonly StepRecord[]): Skippable | undefined {
  if (task.undoCause !== null || (ENDED_TASK_STATES as readonly string[]).includes(task.state)) return undefined;
  const open = steps.find(({ state }) => state !== 'done');
  const planned = open === undefined ? undefined : planOf(task).steps[open.index];
  if (open === undefined || planned === undefined) return undefined;
  if (planned.kind === 'move.quiet') return { step: open.index, waits: 'for late visitors of the old server' };
  if (planned.kind !== 'dns.await') return undefined;
  // What a service has published up to now is taken back next: the public would miss it.
  if ((planned.args as StepArgs['dns.await']).leaves !== undefined) return undefined;
  return { step: open.index, waits: 'for DNS' };
}

/** What a person can do about an open task that is in the way. */
export function wayOut(task: TaskRecord, steps: readonly StepRecord[]): string {
  const open = skippable(task, steps);
  if (open !== undefined) return `it waits ${open.waits}; go on without: aegir task skip-wait ${task.id}`;
  if (task.state === 'stuck')
    return `it is stuck: aegir task retry ${task.id}, or give it up: aegir task cancel ${task.id}`;
  if (isPastReturn(planOf(task).pointOfNoReturn ?? null, steps))
    return `it only goes forward; see: aegir task show ${task.id}`;
  return `aegir task cancel ${task.id}`;
}
