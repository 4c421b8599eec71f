// Attempts at a step that are not waited for to their end: those at which visitors wait, when their hold ends, and undoing
// of which nothing is heard, when a person cancels it.
import { AegirError } from '../../shared/error.ts';
import { timeSpan } from '../../shared/for-people.ts';
import type { Deadline, Plan, PlanStep } from '../plan/plan.ts';
import type { StepRecord } from '../store/model.ts';

export interface Hold {
  /** When it ends, ms since 1970. */
  readonly endsAt: number;
  readonly late: AegirError;
}

/** Within which the step is done; null when nobody waits. startedAt: of the step, when nothing says since when they wait. */
export function holdOf(planned: PlanStep, steps: readonly StepRecord[], startedAt: number): Hold | null {
  // Plans of older masters say it of the steps that copy alone.
  const within = planned.within ?? (planned.args as { readonly deadline?: Deadline | null }).deadline ?? null;
  if (within === null) return null;
  const since = Number(steps.find(({ index }) => index === within.step)?.result?.['at'] ?? startedAt);
  const late = new AegirError(
    'deadline_exceeded',
    `cannot go on: visitors have waited for ${timeSpan(within.millis)}, and the rest of their hold is for going back; the site ` +
      'stays where it was; try again with a longer --max-hold, or at a quieter time',
    { retryable: false },
  );
  return { endsAt: since + within.millis, late };
}

/** Whether visitors wait while the step is done, or undone. */
export function keepsVisitors({ steps, pointOfNoReturn }: Plan, index: number, direction: 'do' | 'undo'): boolean {
  const opened = steps.findIndex(({ kind }) => kind === 'gate.hold');
  if (opened < 0 || index < opened) return false;
  if (direction === 'undo') return true;
  const closed = steps.findLastIndex(({ kind }) => kind === 'gate.close');
  // The step after it serves the site to all at its new place.
  return index <= Math.max(closed + 1, pointOfNoReturn ?? 0);
}

/**
 * Resolves and rejects as work does, but rejects with cancelled when that takes longer than ms from the abort on. Work must
 * have the signal too: what it waits for is told to stop, and what it would begin after that does not begin.
 */
export async function cutShort<T>(work: Promise<T>, signal: AbortSignal, ms: number): Promise<T> {
  const { promise: left, reject } = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const cut = () => {
    timer = setTimeout(() => reject(new AegirError('cancelled', 'cannot go on: it did not stop when asked to')), ms);
  };
  if (signal.aborted) cut();
  else signal.addEventListener('abort', cut, { once: true });
  try {
    return await Promise.race([work, left]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', cut);
  }
}
