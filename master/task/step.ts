// One step at work: what its do and its undo share, namely who it is, how its turns are told, how it waits.
import type { Failpoint } from '../../shared/failpoint.ts';
import type { EventBody, EventBus } from '../event/bus.ts';
import type { Plan } from '../plan/plan.ts';
import type { JsonObject, StepRecord, TaskRecord, TaskState } from '../store/model.ts';
import type { Store } from '../store/store.ts';
import { keepsVisitors } from './cut.ts';
import type { Handlers, StepContext, StepHandler } from './handler.ts';
import type { Limits } from './limits.ts';
import { hasBegun } from './state.ts';

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

export type AnyHandler = StepHandler<'server.detect'>;
export type TaskPatch = Parameters<Store['tasks']['update']>[2];
export type UpdateStep = (patch: Parameters<Store['steps']['update']>[3]) => Promise<void>;
export interface One {
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

/** In place of the result of a step that failed and has surely changed nothing in any attempt. */
export const UNTOUCHED: JsonObject = { untouched: true };

export function isUntouched({ result }: StepRecord): boolean {
  return result?.['untouched'] === true;
}

/** A step's turn is told before it is recorded: a crash between the two tells it twice, and never leaves it untold. */
export async function tell(one: One, to: StepRecord['state'], reason = '', from = one.step.state): Promise<void> {
  one.say(one.step.index, { $case: 'state', value: { from, to, reason } });
  await one.deps.events.flush();
}
/** The person ends it as it stands: what it left stays, and the records say so. */
export async function giveUp(one: One, reason: string): Promise<void> {
  const { deps, task, plan } = one;
  for (const step of await deps.store.steps.ofTask(task.id)) {
    const planned = plan.steps[step.index];
    if (planned === undefined || !hasBegun(step) || step.state === 'undone' || step.state === 'skipped') continue;
    const handler = deps.handlers[planned.kind] as unknown as AnyHandler;
    await handler.givenUp?.(planned.args as never);
  }
  await one.turn('failed', { finishedAt: deps.now(), reason });
}

const PROGRESS_EVERY_MS = 200;

export function contextOf(
  one: One,
  direction: 'do' | 'undo',
  attempt: number,
  startedAt: number,
  signal: AbortSignal,
  after: (() => void)[],
  gotOn: () => void = () => {},
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
    urgent: keepsVisitors(one.plan, step.index, direction),
    result: isUntouched(step) ? null : step.result,
    results,
    now: () => deps.now(),
    emit: (body) => {
      if (body.$case === 'progress') {
        gotOn();
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
export async function sleepUntil(at: number | null, deps: WorkDeps, control: TaskControl): Promise<boolean> {
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
