// Takes actions in and brings each to exactly one answer: validated, fenced by generation, serialised by resource,
// bounded in number, answered from the journal when it ended before.
import type { Logger } from 'pino';
import { AegirError } from '../shared/error.ts';
import type { Failpoint } from '../shared/failpoint.ts';
import type { Action, ActionResult } from '../shared/gen/aegir/v1/agent.ts';
import { isLong, laneOf } from '../shared/lane.ts';
import type { Tools } from './action/action.ts';
import type { ActionHandlers } from './action/actions.ts';
import type { Host } from './host/host.ts';
import type { Journal } from './journal.ts';
import { createRunner, type Ended, errorResult } from './run-action.ts';
import type { Upstream } from './upstream.ts';
import { isActionId, type ValidAction, validateAction } from './validate.ts';

export interface DispatchOptions {
  readonly host: Host;
  readonly tools: Tools;
  readonly actions: ActionHandlers;
  readonly journal: Journal;
  readonly upstream: Upstream;
  readonly failpoint: Failpoint;
  readonly log: Logger;
  /** This start of the agent, as the journal knows it. */
  readonly boot: string;
  /** Actions at a time in each lane. Default 4. */
  readonly limit?: number;
  /** Most that wait for a place. Default 256. */
  readonly maxWaiting?: number;
  /** See RunnerOptions. */
  readonly taskLimitMs?: number;
  /** Told when an action that changed something ended. */
  readonly onChanged?: () => void;
}

export interface Dispatch {
  /** Never throws: what is wrong with an action is its result. */
  receive(action: Action): void;
  /** Stops an action at its next safe place; the answer is its result. */
  cancel(actionId: string): void;
  /** The master has the result. */
  acknowledge(actionId: string): void;
  /** Whether an action of a task is at work on the resource, or waits for it. */
  isBusy(resource: string): boolean;
  /** Whether any action is at work or waits. */
  isAtWork(): boolean;
  /** Actions that began, here or in a former boot, and whose result nobody acknowledged. */
  openActions(): readonly string[];
  /** Of all actions that it has seen; 0 for none. */
  highestGeneration(): bigint;
  /**
   * Takes nothing more in; gives what runs graceMs to end, then aborts it. What was aborted has no result: it runs
   * again in the next boot.
   */
  stop(graceMs: number): Promise<void>;
}

interface Entry {
  readonly action: ValidAction;
  readonly controller: AbortController;
  running: boolean;
}

export function createDispatch(options: DispatchOptions): Dispatch {
  const { journal, upstream, log, tools } = options;
  const limit = options.limit ?? 4;
  const maxWaiting = options.maxWaiting ?? 256;
  /** Waiting and running, in the order they came. */
  const entries = new Map<string, Entry>();
  const run = createRunner(options);
  let stopping = false;
  let onIdle = () => {};

  for (const result of journal.results()) upstream.result(result, true);

  /** Refusals are not kept: the master asks again, or knows that it is old. */
  const refuse = (id: string, error: AegirError) => {
    log.warn({ action: id, code: error.code }, error.message);
    upstream.result(errorResult(id, error), false);
  };

  /** Keeps the result until it is acknowledged, and lets it go up. */
  const finish = (action: ValidAction, result: ActionResult) => {
    if (action.inTask) {
      journal.ended(action.id, action.resource, result);
      options.failpoint(`agent.journal.result:${run.label(action)}`);
    }
    upstream.result(result, action.inTask, run.label(action));
  };

  const pump = () => {
    if (stopping) return;
    const all = [...entries.values()];
    for (const entry of all) {
      if (entry.running || !mayStart(entry.action, all)) continue;
      start(entry);
    }
  };

  const mayStart = (action: ValidAction, all: readonly Entry[]): boolean => {
    const lane = laneOf(action, action.request.kind);
    const running = all.filter((other) => other.running);
    if (running.filter((other) => laneOf(other.action, other.action.request.kind) === lane).length >= limit)
      return false;
    // What reads all of a site stands in the way of nothing else of it.
    const long = isLong(action.request.kind);
    return !running.some(
      ({ action: other }) =>
        action.inTask && other.inTask && other.resource === action.resource && isLong(other.request.kind) === long,
    );
  };

  const start = (entry: Entry) => {
    const { action } = entry;
    entry.running = true;
    void execute(entry)
      .catch((error: unknown) => {
        // The journal cannot be written (a full disk): the action has no result and the master hears why, unkept.
        const why = error instanceof AegirError ? error : new AegirError('internal', String(error), { cause: error });
        log.error({ action: action.id, err: error }, 'cannot keep the record of an action');
        upstream.result(errorResult(action.id, why), false);
      })
      .finally(() => {
        entries.delete(action.id);
        pump();
        if (entries.size === 0) onIdle();
      });
  };

  const execute = async (entry: Entry): Promise<void> => {
    const { action, controller } = entry;
    const late = expired(action, tools.now());
    if (late !== undefined) return finish(action, errorResult(action.id, late));
    let resumed = false;
    if (action.inTask) {
      const before = journal.look(action.id);
      resumed = before !== undefined && before.boot !== options.boot;
      journal.started(action.id, action.generation, action.resource);
    }
    const ended: Ended = await run(action, controller.signal, resumed);
    if (ended.result === undefined) return; // stopped with the agent: the next boot looks and goes on
    finish(action, ended.result);
    if (ended.changed) options.onChanged?.();
  };

  /** Whatever else is at work on the resource gives way to what came last. */
  const supersede = (action: ValidAction) => {
    for (const other of [...entries.values()]) {
      if (!other.action.inTask || other.action.resource !== action.resource) continue;
      const reason = new AegirError(
        'aborted',
        `cannot finish the action: action ${action.id} of generation ${action.generation} took its place`,
        { retryable: false },
      );
      if (other.running) {
        other.controller.abort(reason);
      } else {
        entries.delete(other.action.id);
        finish(other.action, errorResult(other.action.id, reason));
      }
    }
  };

  const admit = (action: ValidAction): void => {
    const waiting = [...entries.values()].filter((entry) => !entry.running).length;
    if (waiting >= maxWaiting || (action.inTask && journal.look(action.id) === undefined && journal.full())) {
      throw new AegirError('resource_exhausted', 'cannot start the action: this agent has too many to do; ask later', {
        retryable: true,
      });
    }
    if (action.inTask) {
      const highest = journal.highest(action.resource);
      if (action.generation < highest) {
        throw new AegirError(
          'aborted',
          `cannot start the action: it is stale, its generation ${action.generation} is below ${highest} of ${action.resource}`,
          { retryable: false },
        );
      }
    }
    const late = expired(action, tools.now());
    if (late !== undefined) throw late;
    if (action.inTask) {
      if (action.generation > journal.highest(action.resource)) journal.raise(action.resource, action.generation);
      supersede(action);
    }
    entries.set(action.id, { action, controller: new AbortController(), running: false });
  };

  return {
    receive(action) {
      if (stopping) return; // unanswered on purpose: the next boot is asked again
      try {
        if (action.taskId !== '' && isActionId(action.id)) {
          const known = journal.look(action.id)?.result;
          if (known !== undefined) return upstream.result(known, true);
        }
        const running = entries.get(action.id);
        if (running !== undefined) {
          // The same action, asked for again by a newer generation: it stays, under the newer fence.
          if (running.action.inTask && action.generation > journal.highest(running.action.resource)) {
            journal.raise(running.action.resource, action.generation);
          }
          return;
        }
        const valid = validateAction(action, tools.serverId);
        if (valid.inTask) options.failpoint(`agent.action.received:${run.label(valid)}`);
        admit(valid);
        pump();
      } catch (error) {
        if (error instanceof AegirError) return refuse(action.id, error);
        log.error({ action: action.id, err: error }, 'cannot take an action in');
        refuse(action.id, new AegirError('internal', 'cannot take the action in: the agent failed', { cause: error }));
      }
    },
    cancel(actionId) {
      const reason = new AegirError('cancelled', 'cannot finish the action: it was cancelled');
      const entry = entries.get(actionId);
      if (entry?.running) return entry.controller.abort(reason);
      const result = errorResult(actionId, reason);
      if (entry !== undefined) {
        entries.delete(actionId);
        return finish(entry.action, result);
      }
      const known = journal.look(actionId);
      if (known?.result !== undefined) return upstream.result(known.result, true);
      // It stopped with a former boot; it shall not begin again.
      if (known !== undefined) journal.ended(actionId, known.resource, result);
      upstream.result(result, known !== undefined);
    },
    acknowledge(actionId) {
      if (entries.has(actionId)) return; // an answer to a former question of the same name
      journal.forget(actionId);
      upstream.forget(actionId);
    },
    isBusy: (resource) => [...entries.values()].some(({ action }) => action.inTask && action.resource === resource),
    isAtWork: () => entries.size > 0,
    openActions: () => journal.open(),
    highestGeneration: () => journal.highestOfAll(),
    async stop(graceMs) {
      stopping = true;
      for (const entry of [...entries.values()]) if (!entry.running) entries.delete(entry.action.id);
      if (entries.size === 0) return;
      const idle = new Promise<void>((resolve) => {
        onIdle = resolve;
      });
      await within(idle, graceMs);
      for (const entry of entries.values()) entry.controller.abort(run.stopReason);
      if (entries.size > 0) await within(idle, AFTER_ABORT_MS);
    },
  };
}

const AFTER_ABORT_MS = 10_000; // a program that was asked to end has 5 s, then it is killed

function expired(action: ValidAction, now: number): AegirError | undefined {
  if (action.expiresAt === undefined || now <= action.expiresAt) return undefined;
  return new AegirError(
    'deadline_exceeded',
    `cannot start the action: it had to start until ${new Date(action.expiresAt).toISOString()} and this host's clock says ${new Date(now).toISOString()}; compare the clocks if that is wrong`,
  );
}

async function within(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, timeout]);
  clearTimeout(timer);
}
