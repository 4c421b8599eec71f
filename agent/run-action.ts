// Runs one action through its handler: context, masking, how long it may do nothing, and the result in bounds.
import type { Logger } from 'pino';
import { AegirError, toAegirError } from '../shared/error.ts';
import type { Failpoint } from '../shared/failpoint.ts';
import { wireFinding } from '../shared/finding.ts';
import type { ActionResult } from '../shared/gen/aegir/v1/agent.ts';
import type { Message } from '../shared/gen/aegir/v1/event.ts';
import type { ActionHandler, Attempt, Outcome, Tools } from './action/action.ts';
import type { ActionHandlers } from './action/actions.ts';
import { createActionContext } from './action-context.ts';
import type { ActionContext } from './engine/engine.ts';
import type { Host } from './host/host.ts';
import { onlyReads } from './only-reads.ts';
import { createPatience } from './patience.ts';
import { createRedactor, oneLine } from './redact.ts';
import type { Upstream } from './upstream.ts';
import type { ActionKind, ValidAction, ValidRequest } from './validate.ts';

const MAX_CHANGES = 1_000;
const MAX_SUMMARY = 500;
const MAX_FINDINGS = 200;
const MAX_TEXT = 2_000;
/** Of a task, without a word of getting on: the longest installer is minutes, and a site of terabytes tells how far it is. */
const TASK_LIMIT_MS = 2 * 3600 * 1000;
const QUESTION_LIMIT_MS = 5 * 60 * 1000;

/** An export lasts as long as whoever asked for it takes it. */
const EXPORT_LIMIT_MS = 24 * 3600 * 1000;

export interface RunnerOptions {
  readonly host: Host;
  readonly tools: Tools;
  readonly actions: ActionHandlers;
  readonly upstream: Upstream;
  readonly failpoint: Failpoint;
  readonly log: Logger;
  /** An action of a task ends when it did not get on for so long, ms. Default two hours. */
  readonly taskLimitMs?: number;
}

export interface Ended {
  /** undefined when it was aborted with stopReason. */
  readonly result: ActionResult | undefined;
  /** It did more than look. */
  readonly changed: boolean;
}

export interface Runner {
  (action: ValidAction, signal: AbortSignal, resumed: boolean): Promise<Ended>;
  label(action: ValidAction): string;
  /** Abort with this when the agent stops: the action then has no result. */
  readonly stopReason: AegirError;
}

export function createRunner(options: RunnerOptions): Runner {
  const { actions, tools, upstream, log } = options;
  const stopReason = new AegirError('unavailable', 'cannot finish the action: the agent stops');

  const run = async (action: ValidAction, cancelled: AbortSignal, resumed: boolean): Promise<Ended> => {
    const label = labelOf(actions, action.request);
    const redactor = createRedactor(action.request.value);
    const patience = createPatience(limitOf(action, options.taskLimitMs ?? TASK_LIMIT_MS));
    const signal = AbortSignal.any([cancelled, patience.signal]);
    const { ctx, messages } = createActionContext({
      host: options.host,
      signal,
      failpoint: options.failpoint,
      label,
      redactor,
      emit(body) {
        if (body.$case === 'progress' && action.inTask) patience.gotOn();
        upstream.event(action.id, new Date(tools.now()), body);
        if (body.$case === 'log') log.debug({ action: action.id, level: body.value.level }, body.value.text);
      },
    });
    const attempt = { resumed, hide: redactor.add };
    const changed = !onlyReads(action.request);
    if (action.inTask) options.failpoint(`agent.journal.started:${label}`);
    log.info({ action: action.id, kind: label, resumed }, 'action begins');
    try {
      const outcome = await handle(actions, action.request, ctx, tools, attempt);
      if (action.inTask) options.failpoint(`agent.action.done:${label}`);
      log.info({ action: action.id, kind: label, changes: outcome.changes.length }, 'action done');
      return { changed, result: okResult(action.id, outcome, messages, redactor.redact) };
    } catch (thrown) {
      if (cancelled.reason === stopReason) return { changed, result: undefined };
      const error = cancelled.aborted
        ? toAegirError(cancelled.reason, `do ${label}`)
        : patience.signal.aborted
          ? new AegirError('deadline_exceeded', `cannot finish ${label}: ${tooLong(action)}`)
          : toAegirError(thrown, `do ${label}`);
      const cause = redactor.redact(causes(error));
      log.warn({ action: action.id, kind: label, code: error.code, cause }, redactor.redact(error.message));
      if (action.inTask) options.failpoint(`agent.action.done:${label}`);
      // Resumed, it may have changed something before the agent died.
      const untouched = error.untouched && !resumed;
      return { changed, result: errorResult(action.id, error, redactor.redact, untouched) };
    } finally {
      patience.close();
    }
  };
  return Object.assign(run, { label: (action: ValidAction) => labelOf(actions, action.request), stopReason });
}

function limitOf({ inTask, request }: ValidAction, taskMs: number): number {
  if (request.kind === 'exportBackup') return EXPORT_LIMIT_MS;
  return inTask ? taskMs : QUESTION_LIMIT_MS;
}

function tooLong({ inTask }: ValidAction): string {
  return inTask ? 'it did not get on for longer than an action may' : 'it took longer than a question may';
}

function labelOf(actions: ActionHandlers, request: ValidRequest): string {
  const handler = actions[request.kind] as ActionHandler<ActionKind>;
  return handler.label(request.value);
}

function handle(
  actions: ActionHandlers,
  request: ValidRequest,
  ctx: ActionContext,
  tools: Tools,
  attempt: Attempt,
): Promise<Outcome> {
  const handler = actions[request.kind] as ActionHandler<ActionKind>;
  return handler.run(request.value, ctx, tools, attempt);
}

function okResult(
  actionId: string,
  outcome: Outcome,
  messages: readonly Message[],
  redact: (text: string) => string,
): ActionResult {
  const changes = outcome.changes.slice(0, MAX_CHANGES).map((text) => oneLine(redact(text), MAX_SUMMARY));
  const rest = outcome.changes.length - changes.length;
  if (rest > 0) changes.push(`… and ${rest} more`);
  const findings = (outcome.findings ?? []).slice(0, MAX_FINDINGS).map((finding) => ({
    ...wireFinding(finding),
    text: oneLine(redact(finding.text), MAX_TEXT),
    advice: oneLine(redact(finding.advice ?? ''), MAX_TEXT),
  }));
  return {
    actionId,
    changes,
    outcome: {
      $case: 'ok',
      value: {
        messages: [...messages],
        platform: outcome.platform,
        findings,
        cluster: outcome.cluster,
        transfer: outcome.transfer,
        ports: [...(outcome.ports ?? [])],
        snapshot: outcome.snapshot,
        restore: outcome.restore,
        backup: outcome.backup,
        prune: outcome.prune,
        check: outcome.check,
        absent: outcome.absent,
        replica: outcome.replica,
        found: outcome.found,
        gate: outcome.gate,
        traffic: outcome.traffic,
        files: outcome.files,
      },
    },
  };
}

export function errorResult(
  actionId: string,
  error: AegirError,
  redact: (text: string) => string = (text) => text,
  untouched = false,
): ActionResult {
  const message = oneLine(redact(error.message), MAX_TEXT);
  return {
    actionId: actionId.slice(0, 200),
    changes: [],
    outcome: { $case: 'error', value: { code: error.code, message, retryable: error.retryable, untouched } },
  };
}

/** The chain of causes, for our own log. */
function causes(error: Error): string {
  const texts: string[] = [];
  for (let cause = error.cause; cause instanceof Error && texts.length < 5; cause = cause.cause) {
    texts.push(cause.message);
  }
  return oneLine(texts.join(' <- '), MAX_TEXT);
}
