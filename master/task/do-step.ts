// Does one step: intent durable first, result durable last; a failure is tried again, undone, or needs a person.
import { type AegirError, toAegirError } from '../../shared/error.ts';
import { cutShort, type Hold, holdOf } from './cut.ts';
import type { Outcome } from './handler.ts';
import { backoffMs } from './limits.ts';
import { isPastReturn } from './state.ts';
import { contextOf, giveUp, isUntouched, type One, sleepUntil, tell, UNTOUCHED, type UpdateStep } from './step.ts';

/** False: leave the task now. */
export async function doStep(one: One): Promise<boolean> {
  const { deps, task, plan, step, steps, epoch, control } = one;
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
  // What moves the bytes of a large site fails, if it does, long after it began: it is tried again as if it began now.
  let lastOn = startedAt;
  const gotOn = () => {
    lastOn = deps.now();
  };
  const planned = plan.steps[step.index];
  const hold = planned === undefined ? null : holdOf(planned, steps, startedAt);
  const attend = (signal: AbortSignal) =>
    one.handler.do(one.args, contextOf(one, 'do', attempt, startedAt, signal, after, gotOn));
  let outcome: Outcome;
  try {
    outcome =
      hold === null
        ? await attend(AbortSignal.any([control.leave.signal, control.cancel.signal]))
        : await attendInTime(one, hold, attend);
  } catch (thrown) {
    if (control.leave.signal.aborted) return false;
    const error = toAegirError(thrown, `do ${step.kind}`);
    const goOn = await failed(one, error, attempt, lastOn, update, clean && error.untouched, hold);
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

/** Visitors wait: neither the end of their hold nor a cancel waits long for what agents answer to it. */
async function attendInTime(
  { deps, control }: One,
  { endsAt, late }: Hold,
  attend: (signal: AbortSignal) => Promise<Outcome>,
): Promise<Outcome> {
  const left = endsAt - deps.now();
  if (left <= 0) throw late;
  // Not for another reason than cancelled: agents are asked to stop.
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), Math.min(left, MAX_TIMER_MS));
  const cut = AbortSignal.any([control.cancel.signal, end.signal]);
  try {
    return await cutShort(attend(AbortSignal.any([control.leave.signal, cut])), cut, deps.limits.cutMs);
  } catch (thrown) {
    throw end.signal.aborted && !control.cancel.signal.aborted ? late : thrown;
  } finally {
    clearTimeout(timer);
  }
}

const MAX_TIMER_MS = 2 ** 31 - 1; // setTimeout fires at once for more

/** False: leave the task now. */
async function failed(
  one: One,
  error: AegirError,
  attempt: number,
  lastOn: number,
  update: UpdateStep,
  untouched: boolean,
  hold: Hold | null,
): Promise<boolean> {
  const mark = untouched ? { result: UNTOUCHED } : {};
  const { deps, task, step, plan, steps, control, say } = one;
  const cancelled = control.cancel.signal.aborted;
  const pastReturn =
    isPastReturn(plan.pointOfNoReturn, steps) || (plan.pointOfNoReturn !== null && step.index >= plan.pointOfNoReturn);
  const { limits } = deps;
  const mayRetry =
    error.retryable && !cancelled && attempt < limits.attempts && deps.now() - lastOn < limits.retryForMs;
  if (mayRetry) {
    const wait = Math.max(0, Math.min(backoffMs(limits, attempt), (hold?.endsAt ?? Infinity) - deps.now()));
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
