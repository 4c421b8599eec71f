// Undoes one step: until it is undone, or a person must act.
import { AegirError, toAegirError } from '../../shared/error.ts';
import { cutShort } from './cut.ts';
import { backoffMs } from './limits.ts';
import { contextOf, giveUp, isUntouched, type One, sleepUntil, tell, type UpdateStep } from './step.ts';

/** False: leave the task now. */
export async function undoStep(one: One): Promise<boolean> {
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
  // Cut short by a cancel, it is tried once more.
  if (!(await sleepUntil(notBefore, deps, control)) && control.leave.signal.aborted) return false;
  const attempt = step.state === 'undoing' && step.notBefore === null ? step.undoAttempts : step.undoAttempts + 1;
  if (step.state !== 'undoing') await tell(one, 'undoing');
  await update({ state: 'undoing', undoAttempts: attempt, notBefore: null });
  deps.failpoint(`task.undo.intent:${step.kind}`);
  const after: (() => void)[] = [];
  const acknowledge = () => {
    for (const callback of after) callback();
  };
  const patience = createPatience(one);
  try {
    const signal = AbortSignal.any([control.leave.signal, patience.signal]);
    const ctx = contextOf(one, 'undo', attempt, deps.now(), signal, after, patience.heard);
    const afterDurable = (callback: () => void) => {
      // Called with each answer of an agent.
      patience.heard();
      ctx.afterDurable(callback);
    };
    const work = undo.call(handler, one.args, { ...ctx, afterDurable });
    const outcome = await cutShort(work, patience.signal, deps.limits.cutMs);
    if (outcome.is === 'wait') throw new AegirError('internal', `cannot undo ${step.kind}: its undo wants to wait`);
  } catch (thrown) {
    if (control.leave.signal.aborted) return false;
    const error = patience.signal.aborted ? silent(one) : toAegirError(thrown, `undo ${step.kind}`);
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
  } finally {
    patience.close();
  }
  if (control.leave.signal.aborted) return false;
  deps.failpoint(`task.undo.done:${step.kind}`);
  await tell(one, 'undone', '', 'undoing');
  await update({ state: 'undone' });
  deps.failpoint(`task.undo.durable:${step.kind}`);
  acknowledge();
  return true;
}

/** Aborts when somebody cancels and nothing was heard of the attempt for a while. */
function createPatience({ deps, task, control }: One) {
  const { quietMs } = deps.limits;
  const cut = new AbortController();
  let lastHeard = performance.now();
  const look = async () => {
    if (performance.now() - lastHeard < quietMs) return;
    const current = await deps.store.tasks.get(task.id);
    if (current?.cancelRequested === true && !control.leave.signal.aborted) cut.abort();
  };
  // A look that fails is followed by another one.
  const timer = setInterval(() => void look().catch(() => {}), Math.min(LOOK_MS, quietMs));
  return {
    signal: cut.signal,
    heard: () => {
      lastHeard = performance.now();
    },
    close: () => clearInterval(timer),
  };
}

const LOOK_MS = 1_000;

function silent({ deps, plan, step }: One): AegirError {
  const what = plan.steps[step.index]?.summary ?? step.kind;
  const text = `cannot undo "${what}": nothing was heard of it for ${deps.limits.quietMs / 1000} s`;
  return new AegirError('cancelled', text);
}
