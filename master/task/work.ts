// Works one claimed task until it ends, waits or is taken away. Every write is fenced by the lease's epoch; intents are
// durable before anything is done, results before anything is forgotten.
import { AegirError, toAegirError } from '../../shared/error.ts';
import type { Failpoint } from '../../shared/failpoint.ts';
import type { EventBody, EventBus } from '../event/bus.ts';
import type { Plan } from '../plan/plan.ts';
import type { JsonObject, StepRecord, TaskRecord, TaskState } from '../store/model.ts';
import type { Store } from '../store/store.ts';
import type { Handlers, Outcome, StepContext, StepHandler } from './handler.ts';
import { backoffMs, type Limits } from './limits.ts';
import { isPastReturn, nextOf } from './state.ts';

export interface WorkDeps {
  readonly store: Store;
  readonly handlers: Handlers;
  readonly events: EventBus;
  readonly failpoint: Failpoint;
  readonly limits: Limits;
  now(): number;
}

/** What the runner may do to a task at work. */
export interface TaskControl {
  /** The lease is lost, or the master stops: leave at once, write nothing. */
  readonly leave: AbortController;
  /** Somebody asked to cancel: the running do is told. */
  cancel: AbortController;
}

type AnyHandler = StepHandler<'server.detect'>;

/** Resolves when the task needs no more work now. */
export async function workTask(deps: WorkDeps, claimed: TaskRecord, control: TaskControl): Promise<void> {
  const { store, failpoint } = deps;
  const epoch = claimed.leaseEpoch;
  const plan = claimed.plan as unknown as Plan;
  failpoint('task.claimed');
  const say = (step: number | null, body: EventBody) => deps.events.emit(claimed.id, step, body);
  const turn = async (from: TaskState, to: TaskState, patch: Parameters<Store['tasks']['update']>[2] = {}) => {
    const reason = patch.reason ?? '';
    say(null, { $case: 'state', value: { from, to, reason } });
    await deps.events.flush();
    await store.tasks.update(claimed.id, epoch, { state: to, reason, ...patch });
  };

  for (let task = claimed; ; ) {
    if (control.leave.signal.aborted) return;
    const steps = await store.steps.ofTask(task.id);
    const next = nextOf(task, steps, plan.pointOfNoReturn);
    if (next.is === 'finish') {
      await turn(task.state, next.state, {
        finishedAt: deps.now(),
        reason: next.state === 'failed' ? task.reason : '',
      });
      failpoint('task.finished');
      return;
    }
    if (next.is === 'refuse-cancel') {
      say(null, { $case: 'log', value: { level: 'warn', text: `cannot cancel: ${next.why}` } });
      await store.tasks.update(task.id, epoch, { cancelRequested: false });
    } else if (next.is === 'begin-undo') {
      await turn(task.state, 'undoing', { undoCause: next.cause, cancelRequested: false, reason: next.reason });
    } else {
      const step = steps[next.index];
      const planned = plan.steps[next.index];
      if (step === undefined || planned === undefined) {
        throw new AegirError('data_loss', `cannot go on with task ${task.id}: its plan and its steps differ`);
      }
      const wanted = next.is === 'do' ? 'running' : 'undoing';
      if (task.state !== wanted) {
        await turn(task.state, wanted, {
          startedAt: task.startedAt ?? deps.now(),
          reason: next.is === 'do' ? '' : task.reason,
          resumeAt: null,
        });
      }
      // The handler's own type ties its kind to its arguments; here they come from one stored plan.
      const handler = deps.handlers[planned.kind] as unknown as AnyHandler;
      const one = { deps, task, plan, step, steps, epoch, handler, args: planned.args as never, control, say, turn };
      const goOn = next.is === 'do' ? await doStep(one) : await undoStep(one);
      if (!goOn) return;
    }
    const again = await store.tasks.get(task.id);
    if (again === undefined || again.leaseEpoch !== epoch) return;
    task = again;
  }
}

interface One {
  readonly deps: WorkDeps;
  readonly task: TaskRecord;
  readonly plan: Plan;
  readonly step: StepRecord;
  readonly steps: readonly StepRecord[];
  readonly epoch: number;
  readonly handler: AnyHandler;
  readonly args: never;
  readonly control: TaskControl;
  say(step: number | null, body: EventBody): void;
  turn(from: TaskState, to: TaskState, patch?: Parameters<Store['tasks']['update']>[2]): Promise<void>;
}

/** False: leave the task now. */
async function doStep(one: One): Promise<boolean> {
  const { deps, task, step, epoch, control, say } = one;
  const update = (patch: Parameters<Store['steps']['update']>[3]) =>
    deps.store.steps.update(task.id, step.index, epoch, patch);
  if (!(await sleepUntil(step.notBefore, deps, control))) return !control.leave.signal.aborted;

  // A step found doing was cut off by a crash: the same attempt goes on, so that agents know its action.
  const attempt = step.state === 'doing' ? step.attempts : step.attempts + 1;
  const startedAt = step.startedAt ?? deps.now();
  if (step.state !== 'doing') {
    await update({ state: 'doing', attempts: attempt, startedAt, error: '', progress: 0, label: '', notBefore: null });
    say(step.index, { $case: 'state', value: { from: step.state, to: 'doing', reason: '' } });
  }
  deps.failpoint(`task.step.intent:${step.kind}`);

  const after: (() => void)[] = [];
  const acknowledge = () => {
    for (const callback of after) callback();
  };
  control.cancel = new AbortController();
  let outcome: Outcome;
  try {
    const signal = AbortSignal.any([control.leave.signal, control.cancel.signal]);
    outcome = await one.handler.do(one.args, contextOf(one, attempt, startedAt, signal, after));
  } catch (thrown) {
    if (control.leave.signal.aborted) return false;
    const error = toAegirError(thrown, `do ${step.kind}`);
    await failed(one, error, attempt, startedAt, update);
    acknowledge();
    return !(await isStuck(one));
  }
  if (control.leave.signal.aborted) return false;
  deps.failpoint(`task.step.done:${step.kind}`);
  if (outcome.is === 'wait') {
    await deps.events.flush();
    // The look that said "wait" is over: the next one is a new attempt, so that agents act anew.
    await update({ state: 'pending' });
    await one.turn(task.state, 'waiting', { resumeAt: outcome.at, reason: outcome.why });
    return false;
  }
  await deps.events.flush();
  await update({ state: 'done', result: outcome.result ?? null, progress: 1, label: '', error: '' });
  deps.failpoint(`task.step.durable:${step.kind}`);
  acknowledge();
  say(step.index, { $case: 'state', value: { from: 'doing', to: 'done', reason: '' } });
  return true;
}

async function failed(
  one: One,
  error: AegirError,
  attempt: number,
  startedAt: number,
  update: (patch: Parameters<Store['steps']['update']>[3]) => Promise<void>,
): Promise<void> {
  const { deps, task, step, plan, steps, control, say } = one;
  const cancelled = control.cancel.signal.aborted;
  const pastReturn =
    isPastReturn(plan.pointOfNoReturn, steps) || (plan.pointOfNoReturn !== null && step.index >= plan.pointOfNoReturn);
  const { limits } = deps;
  const mayRetry =
    error.retryable && !cancelled && attempt < limits.attempts && deps.now() - startedAt < limits.retryForMs;
  if (mayRetry) {
    const wait = backoffMs(limits, attempt);
    say(step.index, {
      $case: 'log',
      value: { level: 'warn', text: `${error.message}; trying again in ${Math.ceil(wait / 1000)} s` },
    });
    await update({ state: 'pending', error: error.message, notBefore: deps.now() + wait });
    return;
  }
  if (!cancelled || error.code !== 'cancelled')
    say(step.index, { $case: 'log', value: { level: 'error', text: error.message } });
  await deps.events.flush();
  say(step.index, { $case: 'state', value: { from: 'doing', to: 'failed', reason: error.message } });
  if (!pastReturn) {
    await update({ state: 'failed', error: error.message });
    await one.turn(
      task.state,
      'undoing',
      cancelled ? { undoCause: 'cancel', cancelRequested: false } : { undoCause: 'failure', reason: error.message },
    );
    return;
  }
  // Forward is the only way: pending again, so that going on begins a new attempt.
  await update({ state: 'pending', error: error.message, startedAt: null });
  const current = await deps.store.tasks.get(task.id);
  if (current?.cancelRequested === true) {
    const reason = `given up after: ${error.message}`;
    await one.turn(task.state, 'failed', { finishedAt: deps.now(), reason });
  } else await one.turn(task.state, 'stuck', { reason: error.message });
}

async function isStuck(one: One): Promise<boolean> {
  const state = (await one.deps.store.tasks.get(one.task.id))?.state;
  return state === 'stuck' || state === 'failed';
}

async function undoStep(one: One): Promise<boolean> {
  const { deps, task, step, epoch, handler, control, say } = one;
  const update = (patch: Parameters<Store['steps']['update']>[3]) =>
    deps.store.steps.update(task.id, step.index, epoch, patch);
  const { undo } = handler;
  if (typeof undo !== 'function') {
    await update({ state: 'skipped' });
    say(step.index, {
      $case: 'state',
      value: { from: step.state, to: 'skipped', reason: `nothing to undo: ${undo.none}` },
    });
    return true;
  }
  if (!(await sleepUntil(step.notBefore, deps, control))) return !control.leave.signal.aborted;
  const attempt = step.state === 'undoing' && step.notBefore === null ? step.undoAttempts : step.undoAttempts + 1;
  await update({ state: 'undoing', undoAttempts: attempt, notBefore: null });
  if (step.state !== 'undoing')
    say(step.index, { $case: 'state', value: { from: step.state, to: 'undoing', reason: '' } });
  deps.failpoint(`task.undo.intent:${step.kind}`);
  const after: (() => void)[] = [];
  const acknowledge = () => {
    for (const callback of after) callback();
  };
  try {
    const outcome = await undo.call(
      handler,
      one.args,
      contextOf(one, attempt, deps.now(), control.leave.signal, after),
    );
    if (outcome.is === 'wait') throw new AegirError('internal', `cannot undo ${step.kind}: its undo wants to wait`);
  } catch (thrown) {
    if (control.leave.signal.aborted) return false;
    const error = toAegirError(thrown, `undo ${step.kind}`);
    const current = await deps.store.tasks.get(task.id);
    if (current?.cancelRequested === true) {
      // Cancelled while its undo fails: the person gives it up, and is told what was left.
      await update({ state: 'failed', error: error.message });
      await one.turn(task.state, 'failed', {
        finishedAt: deps.now(),
        reason: `given up, not undone whole: ${error.message}`,
      });
      acknowledge();
      return false;
    }
    const level = error.retryable ? 'warn' : 'error';
    say(step.index, { $case: 'log', value: { level, text: `undo: ${error.message}` } });
    // notBefore marks the definite end of this attempt: the next one is a new action.
    await update({
      error: error.message,
      notBefore: deps.now() + (error.retryable ? backoffMs(deps.limits, attempt) : 0),
    });
    acknowledge();
    if (error.retryable) return true;
    await one.turn(task.state, 'stuck', { reason: `cannot undo: ${error.message}` });
    return false;
  }
  if (control.leave.signal.aborted) return false;
  deps.failpoint(`task.undo.done:${step.kind}`);
  await deps.events.flush();
  await update({ state: 'undone' });
  deps.failpoint(`task.undo.durable:${step.kind}`);
  acknowledge();
  say(step.index, { $case: 'state', value: { from: 'undoing', to: 'undone', reason: '' } });
  return true;
}

const PROGRESS_EVERY_MS = 200;

function contextOf(
  one: One,
  attempt: number,
  startedAt: number,
  signal: AbortSignal,
  after: (() => void)[],
): StepContext {
  const { deps, task, step } = one;
  let progressAt = 0;
  const results = new Map<number, JsonObject>();
  for (const before of one.steps)
    if (before.index < step.index && before.result !== null) results.set(before.index, before.result);
  return {
    taskId: task.id,
    step: step.index,
    attempt,
    generation: one.epoch,
    actor: task.actor,
    signal,
    startedAt,
    result: step.result,
    results,
    now: () => deps.now(),
    emit: (body) => {
      if (body.$case === 'progress') {
        const now = deps.now();
        if (body.value.fraction < 1 && now - progressAt < PROGRESS_EVERY_MS) return;
        progressAt = now;
      }
      one.say(step.index, body);
    },
    afterDurable: (callback) => after.push(callback),
  };
}

/** False when the wait was cut short: cancelled, or to be left. */
async function sleepUntil(at: number | null, deps: WorkDeps, control: TaskControl): Promise<boolean> {
  const ms = at === null ? 0 : at - deps.now();
  if (ms <= 0) return true;
  control.cancel = new AbortController();
  const signal = AbortSignal.any([control.leave.signal, control.cancel.signal]);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
  return !signal.aborted;
}
