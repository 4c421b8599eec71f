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
import { hasBegun, isPastReturn, nextOf } from './state.ts';
import { lastTold, whyUndone } from './told.ts';

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
type TaskPatch = Parameters<Store['tasks']['update']>[2];
type UpdateStep = (patch: Parameters<Store['steps']['update']>[3]) => Promise<void>;

/** Resolves when the task needs no more work now. */
export async function workTask(deps: WorkDeps, claimed: TaskRecord, control: TaskControl): Promise<void> {
  const { store, failpoint } = deps;
  const epoch = claimed.leaseEpoch;
  const plan = claimed.plan as unknown as Plan;
  failpoint('task.claimed');
  const say = (step: number | null, body: EventBody) => deps.events.emit(claimed.id, step, body);
  let told = claimed.state;
  const turn = async (to: TaskState, patch: TaskPatch = {}) => {
    const reason = patch.reason ?? '';
    say(null, { $case: 'state', value: { from: told, to, reason } });
    await deps.events.flush();
    await store.tasks.update(claimed.id, epoch, { state: to, reason, ...patch });
    deps.events.look(claimed.id);
    told = to;
  };
  if ((claimed.state === 'running' || claimed.state === 'undoing') && (await lastTold(store, claimed.id)) === 'stuck') {
    // A person made it go on, which is recorded without a word: it is told, with the reason that being stuck hid.
    told = 'stuck';
    await turn(claimed.state, { reason: claimed.undoCause === 'failure' ? await whyUndone(store, claimed.id) : '' });
  }

  for (let task = claimed; ; ) {
    if (control.leave.signal.aborted) return;
    const steps = await store.steps.ofTask(task.id);
    const next = nextOf(task, steps, plan.pointOfNoReturn);
    if (next.is === 'finish') {
      const reason = next.state !== 'failed' ? '' : task.reason || (await whyUndone(store, task.id));
      await turn(next.state, { finishedAt: deps.now(), reason });
      failpoint('task.finished');
      return;
    }
    if (next.is === 'refuse-cancel') {
      say(null, { $case: 'log', value: { level: 'warn', text: `cannot cancel: ${next.why}` } });
      await store.tasks.update(task.id, epoch, { cancelRequested: false });
    } else if (next.is === 'begin-undo') {
      const { cause: undoCause, reason } = next;
      await turn('undoing', { undoCause, cancelRequested: false, resumeAt: null, reason });
    } else {
      const step = steps[next.index];
      const planned = plan.steps[next.index];
      if (step === undefined || planned === undefined) {
        throw new AegirError('data_loss', `cannot go on with task ${task.id}: its plan and its steps differ`);
      }
      const wanted = next.is === 'do' ? 'running' : 'undoing';
      if (task.state !== wanted) {
        await turn(wanted, {
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
  turn(to: TaskState, patch?: TaskPatch): Promise<void>;
}

/** False: leave the task now. */
async function doStep(one: One): Promise<boolean> {
  const { deps, task, step, epoch, control } = one;
  const update: UpdateStep = (patch) => deps.store.steps.update(task.id, step.index, epoch, patch);
  if (!(await sleepUntil(step.notBefore, deps, control))) return !control.leave.signal.aborted;

  // A step found doing was cut off by a crash: the same attempt goes on, so that agents know its action.
  const attempt = step.state === 'doing' ? step.attempts : step.attempts + 1;
  const startedAt = step.startedAt ?? deps.now();
  // Nothing of this step was changed before this attempt, for sure: then an attempt that changes nothing leaves nothing.
  const clean = step.state !== 'doing' && (step.attempts === 0 || isUntouched(step));
  if (step.state !== 'doing') {
    await tell(one, 'doing');
    const fresh = isUntouched(step) ? { result: null } : {};
    await update({
      ...{ state: 'doing', attempts: attempt, startedAt, error: '', progress: 0, label: '', notBefore: null },
      ...fresh,
    });
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
    const goOn = await failed(one, error, attempt, startedAt, update, clean && error.untouched);
    acknowledge();
    return goOn;
  }
  if (control.leave.signal.aborted) return false;
  deps.failpoint(`task.step.done:${step.kind}`);
  if (outcome.is === 'wait') {
    // The look that said "wait" is over: the next one is a new attempt, so that agents act anew.
    await tell(one, 'pending', outcome.why, 'doing');
    await update({ state: 'pending' });
    acknowledge();
    await one.turn('waiting', { resumeAt: outcome.at, reason: outcome.why });
    return false;
  }
  await tell(one, 'done', '', 'doing');
  await update({ state: 'done', result: outcome.result ?? null, progress: 1, label: '', error: '' });
  deps.failpoint(`task.step.durable:${step.kind}`);
  acknowledge();
  return true;
}

/** In place of the result of a step that failed and has surely changed nothing in any attempt. */
const UNTOUCHED: JsonObject = { untouched: true };

function isUntouched({ result }: StepRecord): boolean {
  return result?.['untouched'] === true;
}

/** A step's turn is told before it is recorded: a crash between the two tells it twice, and never leaves it untold. */
async function tell(one: One, to: StepRecord['state'], reason = '', from = one.step.state): Promise<void> {
  one.say(one.step.index, { $case: 'state', value: { from, to, reason } });
  await one.deps.events.flush();
}

/** False: leave the task now. */
async function failed(
  one: One,
  error: AegirError,
  attempt: number,
  startedAt: number,
  update: UpdateStep,
  untouched: boolean,
): Promise<boolean> {
  const mark = untouched ? { result: UNTOUCHED } : {};
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
    await tell(one, 'pending', error.message, 'doing');
    await update({ state: 'pending', error: error.message, notBefore: deps.now() + wait, ...mark });
    return true;
  }
  if (!cancelled || error.code !== 'cancelled')
    say(step.index, { $case: 'log', value: { level: 'error', text: error.message } });
  await tell(one, pastReturn ? 'pending' : 'failed', error.message, 'doing');
  if (!pastReturn) {
    await update({ state: 'failed', error: error.message, ...mark });
    // A cancel that came too late to be the cause is answered by this undoing: it does not mean "give up".
    const because = cancelled
      ? { undoCause: 'cancel' as const }
      : { undoCause: 'failure' as const, reason: error.message };
    await one.turn('undoing', { ...because, cancelRequested: false });
    return true;
  }
  // Forward is the only way: pending again, so that going on begins a new attempt.
  await update({ state: 'pending', error: error.message, startedAt: null });
  const current = await deps.store.tasks.get(task.id);
  if (current?.cancelRequested === true) {
    await giveUp(one, `given up after: ${error.message}`);
  } else await one.turn('stuck', { reason: error.message });
  return false;
}

/** The person ends it as it stands: what it left stays, and the records say so. */
async function giveUp(one: One, reason: string): Promise<void> {
  const { deps, task, plan } = one;
  for (const step of await deps.store.steps.ofTask(task.id)) {
    const planned = plan.steps[step.index];
    if (planned === undefined || !hasBegun(step) || step.state === 'undone' || step.state === 'skipped') continue;
    const handler = deps.handlers[planned.kind] as unknown as AnyHandler;
    await handler.givenUp?.(planned.args as never);
  }
  await one.turn('failed', { finishedAt: deps.now(), reason });
}

async function undoStep(one: One): Promise<boolean> {
  const { deps, task, step, epoch, handler, control, say } = one;
  const update: UpdateStep = (patch) => deps.store.steps.update(task.id, step.index, epoch, patch);
  const { undo } = handler;
  if (typeof undo !== 'function') {
    await tell(one, 'skipped', `nothing to undo: ${undo.none}`);
    await update({ state: 'skipped' });
    return true;
  }
  if (isUntouched(step) && (step.state === 'failed' || step.state === 'pending')) {
    await tell(one, 'skipped', 'nothing to undo: it changed nothing');
    await update({ state: 'skipped' });
    return true;
  }
  // A pause before the next do is over as soon as it is to be undone.
  const notBefore = step.state === 'undoing' ? step.notBefore : null;
  if (!(await sleepUntil(notBefore, deps, control))) return !control.leave.signal.aborted;
  const attempt = step.state === 'undoing' && step.notBefore === null ? step.undoAttempts : step.undoAttempts + 1;
  if (step.state !== 'undoing') await tell(one, 'undoing');
  await update({ state: 'undoing', undoAttempts: attempt, notBefore: null });
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
      await tell(one, 'failed', error.message, 'undoing');
      await update({ state: 'failed', error: error.message });
      await giveUp(one, `given up, not undone whole: ${error.message}`);
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
    await one.turn('stuck', { reason: `cannot undo: ${error.message}` });
    return false;
  }
  if (control.leave.signal.aborted) return false;
  deps.failpoint(`task.undo.done:${step.kind}`);
  await tell(one, 'undone', '', 'undoing');
  await update({ state: 'undone' });
  deps.failpoint(`task.undo.durable:${step.kind}`);
  acknowledge();
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
    result: isUntouched(step) ? null : step.result,
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
