// The task's state machine, pure: from what is recorded to the one thing to do next.
import type { StepRecord, TaskRecord } from '../store/model.ts';

export type Next =
  | { readonly is: 'do'; readonly index: number }
  | { readonly is: 'undo'; readonly index: number }
  /** Nothing may be undone any more, or nothing began: the cancel is refused with this text. */
  | { readonly is: 'refuse-cancel'; readonly why: string }
  | { readonly is: 'begin-undo'; readonly cause: 'cancel' | 'failure'; readonly reason: string }
  | { readonly is: 'finish'; readonly state: 'succeeded' | 'failed' | 'cancelled' };

export const PAST_RETURN = 'it is past its point of no return and only goes forward';

/** A step has begun when its intent was recorded once: only then can it have left something. */
export function hasBegun(step: StepRecord): boolean {
  return step.attempts > 0;
}

/** From the declared step on a task only goes forward. */
export function isPastReturn(pointOfNoReturn: number | null, steps: readonly StepRecord[]): boolean {
  if (pointOfNoReturn === null) return false;
  return steps.some((step) => step.index >= pointOfNoReturn && hasBegun(step));
}

export function nextOf(task: TaskRecord, steps: readonly StepRecord[], pointOfNoReturn: number | null): Next {
  if (task.undoCause !== null) {
    const last = steps.findLast((step) => hasBegun(step) && step.state !== 'undone' && step.state !== 'skipped');
    if (last !== undefined) return { is: 'undo', index: last.index };
    return { is: 'finish', state: task.undoCause === 'cancel' ? 'cancelled' : 'failed' };
  }
  const open = steps.find((step) => step.state !== 'done');
  if (open === undefined) return { is: 'finish', state: 'succeeded' };
  if (task.cancelRequested) {
    // It may have no lock yet: nothing of it has begun, and so nothing is undone.
    if (task.state === 'queued') return { is: 'finish', state: 'cancelled' };
    if (isPastReturn(pointOfNoReturn, steps)) {
      // Cancelling a stuck task means: try once more, and give it up when that fails too.
      if (wasStuck(open)) return { is: 'do', index: open.index };
      return { is: 'refuse-cancel', why: PAST_RETURN };
    }
    return { is: 'begin-undo', cause: 'cancel', reason: '' };
  }
  // Recorded, and then the master died before it could say that it undoes: doing it again would hide the failure.
  if (open.state === 'failed') return { is: 'begin-undo', cause: 'failure', reason: open.error };
  return { is: 'do', index: open.index };
}

/** A step that goes forward only and failed for good: see failed() in work.ts. */
function wasStuck(step: StepRecord): boolean {
  return step.state === 'pending' && hasBegun(step) && step.error !== '' && step.startedAt === null;
}
