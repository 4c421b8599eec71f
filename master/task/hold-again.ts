// Stores that a task holds, looked at by the steps that work there: a stuck task has let go of what it shared, and a prune
// that failed of its store, so that nobody waits for a person; going on, they hold it again, or wait.
import { AegirError } from '../../shared/error.ts';
import type { BackupStepArgs } from '../plan/backup-args.ts';
import type { Plan } from '../plan/plan.ts';
import type { TaskRecord } from '../store/model.ts';
import type { Store } from '../store/store.ts';
import type { Outcome, StepContext } from './handler.ts';
import { holdStores, releaseStores } from './store-hold.ts';

type Held = BackupStepArgs['store.hold'];

const LOOK_AGAIN_MS = 2_000;
/**
 * Who wants a store alone keeps back those that come later for so long, and then lets them pass until its next turn: one that
 * hangs, whose agent is silent or whose site is slow, would otherwise keep all sites from their backups.
 */
export const TURN_MS = 5 * 60_000;
export const TURNS_MS = 30 * 60_000;
const MOST_NAMED = 3;

/** undefined when the task holds them; otherwise how to wait. */
export async function waitForStores(
  store: Store,
  ctx: Pick<StepContext, 'taskId' | 'startedAt' | 'now'>,
  { places, mode, services }: Held,
): Promise<Extract<Outcome, { is: 'wait' }> | undefined> {
  const now = ctx.now();
  const givesWay = mode === 'exclusive' && (now - ctx.startedAt) % TURNS_MS >= TURN_MS;
  const others = await holdStores(store, ctx.taskId, { places, mode, services: services ?? [], givesWay });
  if (others.length === 0) return undefined;
  const passing = givesWay ? '; others may pass meanwhile' : '';
  return { is: 'wait', at: now + LOOK_AGAIN_MS, why: `the store is in use by ${named(others)}${passing}` };
}

/** For do: undefined when the task holds what the last store.hold before this step was for. */
export async function holdAgain(store: Store, ctx: StepContext): Promise<Outcome | undefined> {
  const held = await heldFor(store, ctx);
  return held && waitForStores(store, ctx, held);
}

/** For undo, which is tried again. Throws unavailable. */
export async function holdToUndo(store: Store, ctx: StepContext): Promise<void> {
  const held = await heldFor(store, ctx);
  if (held !== undefined) await holdNow(store, ctx.taskId, held);
}

export async function holdNow(store: Store, taskId: string, { places, mode }: Held): Promise<void> {
  const others = await holdStores(store, taskId, { places, mode });
  if (others.length > 0)
    throw new AegirError('unavailable', `cannot use the store yet: ${named(others)} works there`, { retryable: true });
}

/** What this step was held for is over. Repeatable. */
export async function letGoEarly(store: Store, ctx: StepContext): Promise<void> {
  const held = await heldFor(store, ctx);
  if (held !== undefined) await releaseStores(store, ctx.taskId, held.places);
}

async function heldFor(store: Store, ctx: StepContext): Promise<Held | undefined> {
  const plan = (await store.tasks.get(ctx.taskId))?.plan as unknown as Plan | undefined;
  const last = plan?.steps.slice(0, ctx.step).findLast(({ kind }) => kind === 'store.hold' || kind === 'store.release');
  return last?.kind === 'store.hold' ? last.args : undefined;
}

/** With what to do about each. */
function named(tasks: readonly TaskRecord[]): string {
  const told = tasks.slice(0, MOST_NAMED).map(({ id, verb, subject, state }) => {
    const out = state === 'stuck' ? `it is stuck: aegir task retry ${id}, or aegir task cancel ${id}` : state;
    return `${id} (${verb} of ${subject}, ${out})`;
  });
  const more = tasks.length - told.length;
  const help = tasks.every(({ state }) => state === 'stuck') ? '' : '; see: aegir task show TASK';
  return `${told.join(', ')}${more > 0 ? ` and ${more} more` : ''}${help}`;
}
