// Works one claimed task until it ends, waits or is taken away. Every write is fenced by the lease's epoch; intents are
// durable before anything is done, results before anything is forgotten.
import { AegirError } from '../../shared/error.ts';
import type { EventBody } from '../event/bus.ts';
import type { Plan } from '../plan/plan.ts';
import type { TaskRecord, TaskState } from '../store/model.ts';
import { changedSince } from './basis.ts';
import { doStep } from './do-step.ts';
import { hasBegun, nextOf } from './state.ts';
import type { AnyHandler, TaskControl, TaskPatch, WorkDeps } from './step.ts';
import { lastTold, whyUndone } from './told.ts';
import { undoStep } from './undo-step.ts';

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

  if (claimed.state === 'queued' && !claimed.cancelRequested) {
    const changed = await changedSince(store, plan);
    if (changed.length > 0) {
      await takeBack(deps, plan);
      const reason = `${changed.join(', and ')}, unlike when this was asked: nothing was done`;
      await turn('failed', { finishedAt: deps.now(), reason });
      failpoint('task.finished');
      return;
    }
  }

  for (let task = claimed; ; ) {
    if (control.leave.signal.aborted) return;
    const steps = await store.steps.ofTask(task.id);
    const next = nextOf(task, steps, plan.pointOfNoReturn);
    if (next.is === 'finish') {
      if (next.state !== 'succeeded' && !steps.some(hasBegun)) await takeBack(deps, plan);
      const reason = next.state !== 'failed' ? '' : task.reason || (await whyUndone(store, task.id));
      const honoured = next.state === 'cancelled' ? { cancelRequested: false } : {};
      await turn(next.state, { finishedAt: deps.now(), reason, ...honoured });
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

/** What was saved with a task of which no step began. */
async function takeBack({ handlers }: WorkDeps, plan: Plan): Promise<void> {
  for (const { kind, args } of plan.steps.toReversed()) {
    const handler = handlers[kind] as unknown as AnyHandler;
    await handler.neverBegan?.(args as never);
  }
}
