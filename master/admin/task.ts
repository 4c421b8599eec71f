// Tasks: list, read, watch, cancel, retry.
import { AegirError } from '../../shared/error.ts';
import type {
  CancelTaskRequest,
  ChangeResponse,
  GetTaskRequest,
  ListTasksRequest,
  ListTasksResponse,
  RetryTaskRequest,
  Task,
  WatchTaskRequest,
} from '../../shared/gen/aegir/v1/admin.ts';
import type { Event } from '../../shared/gen/aegir/v1/event.ts';
import { ENDED_TASK_STATES, type JsonObject, OPEN_TASK_STATES, type TaskRecord } from '../store/model.ts';
import { isPastReturn, PAST_RETURN } from '../task/state.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { loadGraph } from './load.ts';
import { decodePageToken, encodePageToken, pageSize } from './page.ts';
import { skippable, wayOut } from './skippable.ts';
import { subjectIds } from './task-subject.ts';
import { planOf, planView, taskView } from './view-task.ts';

/** What tasks are for, as calls of the API. */
export interface Verbs {
  /**
   * Throws permission_denied unless the caller may make such a task. asked: what a plan keeps as its request; with some
   * requests it takes more than their method does.
   */
  requireRight(caller: Caller, verb: string, asked: JsonObject | undefined): void;
  /** Asks what a plan keeps as its request, as a new call of this caller. */
  askAgain(caller: Caller, asked: JsonObject, subject: string): Promise<ChangeResponse>;
}

const ENDED: ReadonlySet<string> = new Set(ENDED_TASK_STATES);
const STATES: readonly string[] = [...OPEN_TASK_STATES, ...ENDED_TASK_STATES];

export async function listTasks(deps: AdminDeps, request: ListTasksRequest): Promise<ListTasksResponse> {
  if (request.state !== '' && !STATES.includes(request.state)) {
    throw new AegirError(
      'invalid_argument',
      `cannot list tasks in state ${JSON.stringify(request.state)}: there are ${STATES.join(', ')}`,
    );
  }
  const limit = pageSize(request);
  const before = request.pageToken === '' ? undefined : Number(decodePageToken(request.pageToken));
  if (before !== undefined && !Number.isSafeInteger(before)) {
    throw new AegirError('invalid_argument', 'cannot use that page_token: it is not one that a list gave');
  }
  const tasks = await deps.store.tasks.list({
    limit: limit + 1,
    ...(request.state === '' ? {} : { state: request.state }),
    ...(request.subjectId === '' ? {} : { subjectId: subjectIds(await loadGraph(deps.store), request.subjectId) }),
    ...(before === undefined ? {} : { beforeSeq: before }),
  });
  const page = tasks.slice(0, limit);
  const last = page.at(-1);
  return {
    tasks: page.map((task) => taskView(task)),
    nextPageToken: tasks.length > limit && last !== undefined ? encodePageToken(String(last.seq)) : '',
  };
}

async function findTask(deps: AdminDeps, id: string): Promise<TaskRecord> {
  const task = await deps.store.tasks.get(id);
  if (task !== undefined) return task;
  throw new AegirError('not_found', `cannot find task ${JSON.stringify(id)}; see: aegir task list`);
}

export async function getTask(deps: AdminDeps, request: GetTaskRequest): Promise<Task> {
  const task = await findTask(deps, request.taskId);
  const steps = await deps.store.steps.ofTask(task.id);
  const behind = task.state === 'queued' ? await deps.store.tasks.ahead(task.id) : undefined;
  const plan = planView(planOf(task), await loadGraph(deps.store));
  return taskView(task, { plan, steps, behind: behind ?? '' });
}

export async function* watchTask(
  deps: AdminDeps,
  request: WatchTaskRequest,
  signal: AbortSignal,
): AsyncIterable<Event> {
  const task = await findTask(deps, request.taskId);
  yield* deps.watch(task.id, Number(request.afterSeq), signal);
}

/**
 * A stuck task that is cancelled is given up when it fails again: what it left stays, and its locks are free. Others are refused
 * once nothing of them is undone any more; one that gets there meanwhile drops the request, and says so in its story.
 */
export async function cancelTask(
  deps: AdminDeps,
  caller: Caller,
  request: CancelTaskRequest,
  verbs: Pick<Verbs, 'requireRight'>,
): Promise<Task> {
  const task = await findTask(deps, request.taskId);
  verbs.requireRight(caller, task.verb, planOf(task).request);
  const open = !ENDED.has(task.state) && task.state !== 'stuck' && task.undoCause === null;
  // A repeat of what was taken, as of one that was stuck then, is no new request.
  if (open && !task.cancelRequested) {
    const steps = await deps.store.steps.ofTask(task.id);
    if (isPastReturn(planOf(task).pointOfNoReturn ?? null, steps)) {
      const out = skippable(task, steps) === undefined ? '' : `; ${wayOut(task, steps)}`;
      throw new AegirError('failed_precondition', `cannot cancel task ${task.id}: ${PAST_RETURN}${out}`);
    }
  }
  if (!(await deps.store.tasks.requestCancel(task.id))) {
    throw new AegirError('failed_precondition', `cannot cancel task ${task.id}: it has ended (${task.state})`);
  }
  // A stuck one is tried once more and, as it is cancelled, given up when that fails again.
  if (task.state === 'stuck') await deps.store.tasks.unstick(task.id);
  deps.wakeRunner();
  return getTask(deps, { taskId: task.id });
}

export async function retryTask(
  deps: AdminDeps,
  caller: Caller,
  request: RetryTaskRequest,
  verbs: Verbs,
): Promise<ChangeResponse> {
  const task = await findTask(deps, request.taskId);
  verbs.requireRight(caller, task.verb, planOf(task).request);
  if (task.state === 'stuck') {
    await deps.store.tasks.unstick(task.id);
    deps.wakeRunner();
    const plan = planView(planOf(task), await loadGraph(deps.store));
    return { plan, taskId: task.id, subjectId: task.subjectId };
  }
  if (task.state !== 'failed' && task.state !== 'cancelled') {
    throw new AegirError('failed_precondition', `cannot retry task ${task.id}: it is ${task.state}`);
  }
  const asked = planOf(task).request;
  if (asked === undefined) {
    throw new AegirError(
      'failed_precondition',
      `cannot retry task ${task.id}: what was asked is not known any more; ask again`,
    );
  }
  return verbs.askAgain(caller, asked, task.subject);
}
