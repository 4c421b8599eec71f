// Undoes one step: until it is undone, or a person must act.
import { AegirError, toAegirError } from '../../shared/error.ts';
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
