// Keeps tasks going: claims what is due, renews leases, tells cancelled tasks, and lets go in order when the master stops.
import { AegirError } from '../../shared/error.ts';
import type { TaskRecord } from '../store/model.ts';
import type { TaskControl, WorkDeps } from './step.ts';
import { workTask } from './work.ts';

export interface RunnerDeps extends WorkDeps {
  /** Names this master's process; fresh with every start. */
  readonly owner: string;
  readonly log: { error(fields: Record<string, unknown>, text: string): void };
}

export interface Runner {
  start(): void;
  /** Looks for work now: something was asked, or cancelled. */
  wake(): void;
  /** Lets go of everything at work; it goes on at the next start. Resolves when nothing is at work. */
  stop(): Promise<void>;
}

const POLL_MS = 1000;
const BROKEN_PAUSE_MS = 5000;

/** Not cancelled: an action that runs goes on, and its result meets whoever performs it next. See agents.ts. */
function letGo(why: string): AegirError {
  return new AegirError('aborted', `cannot go on with the task here: ${why}`);
}

export function createRunner(deps: RunnerDeps): Runner {
  const working = new Map<string, { readonly control: TaskControl; readonly ended: Promise<void> }>();
  /** Tasks that broke off, with their epochs, until their leases are free. */
  const broken = new Map<string, number>();
  let stopping = false;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let lookAgain = false;
  let renewedAt = 0;

  const work = (task: TaskRecord) => {
    const control: TaskControl = { leave: new AbortController(), cancel: new AbortController() };
    const ended = workTask(deps, task, control)
      .catch((thrown: unknown) => {
        // A lost lease is another master's work now; anything else is tried again after a pause.
        if (control.leave.signal.aborted) return;
        deps.log.error({ task: task.id, err: thrown }, 'cannot go on with a task');
        broken.set(task.id, task.leaseEpoch);
      })
      .finally(() => {
        working.delete(task.id);
        wake();
      });
    working.set(task.id, { control, ended });
  };

  const renew = async () => {
    if (deps.now() - renewedAt < deps.limits.leaseMs / 3 || working.size === 0) return;
    const asked = [...working.keys()];
    const held = new Set(await deps.store.tasks.renew(deps.owner, deps.now(), deps.limits.leaseMs));
    renewedAt = deps.now();
    for (const id of asked) {
      if (held.has(id)) continue;
      // It may have ended, or begun to wait, while we asked: then leaving it changes nothing.
      working.get(id)?.control.leave.abort(letGo('its lease is lost'));
    }
  };

  /** A task that broke off stays leased to this owner, whose leases are all renewed: nobody could take it up again. */
  const freeBroken = async () => {
    for (const [id, epoch] of broken) {
      try {
        await deps.store.tasks.update(id, epoch, { leaseOwner: null, leaseExpiresAt: deps.now() + BROKEN_PAUSE_MS });
      } catch (thrown) {
        if (!(thrown instanceof AegirError) || thrown.code !== 'aborted') throw thrown;
      }
      broken.delete(id);
    }
  };

  const tellCancelled = async () => {
    for (const [id, { control }] of working) {
      const task = await deps.store.tasks.get(id);
      const pointOfNoReturn = task?.plan['pointOfNoReturn'];
      if (task?.cancelRequested !== true) continue;
      if (task.undoCause !== null) {
        // It does not sleep until it tries again; see undo-step.ts.
        control.cancel.abort();
        continue;
      }
      // Past the point of no return the running step goes on; the refusal is told between steps.
      const steps = typeof pointOfNoReturn === 'number' ? await deps.store.steps.ofTask(id) : [];
      const past = steps.some(
        (step) => typeof pointOfNoReturn === 'number' && step.index >= pointOfNoReturn && step.attempts > 0,
      );
      if (!past) control.cancel.abort();
    }
  };

  const look = async (): Promise<void> => {
    await freeBroken();
    await renew();
    await tellCancelled();
    if (stopping) return;
    const free = Math.max(0, deps.limits.tasks - working.size);
    for (const task of await deps.store.tasks.claim(deps.owner, deps.now(), deps.limits.leaseMs, free)) {
      if (renewedAt === 0) renewedAt = deps.now();
      work(task);
    }
  };

  const tick = () => {
    clearTimeout(timer);
    if (stopping) return;
    if (looking !== undefined) {
      lookAgain = true;
      return;
    }
    looking = look()
      .catch((thrown: unknown) => deps.log.error({ err: thrown }, 'cannot look for tasks'))
      .finally(() => {
        looking = undefined;
        if (stopping) return;
        if (lookAgain) {
          lookAgain = false;
          tick();
        } else timer = setTimeout(tick, POLL_MS);
      });
  };
  const wake = tick;

  return {
    start: tick,
    wake,
    stop: async () => {
      stopping = true;
      clearTimeout(timer);
      await looking;
      for (const { control } of working.values()) control.leave.abort(letGo('this master stops'));
      await Promise.all([...working.values()].map(({ ended }) => ended));
    },
  };
}
