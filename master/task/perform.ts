// One action on one agent, as part of a step: named so that a repeat is known, fenced, its events passed on, its result
// acknowledged only when it is durable here.
import { AegirError, isErrorCode } from '../../shared/error.ts';
import {
  type ActionEvent,
  type ActionOutput,
  ActionOutput as ActionOutputMessage,
  type ActionResult,
  type PlatformFacts,
} from '../../shared/gen/aegir/v1/agent.ts';
import type { ActionRequest } from '../session/agents.ts';
import type { PlatformRecord } from '../store/model.ts';
import type { StepContext } from './handler.ts';
import { type HandlerDeps, readServer } from './parts.ts';

export interface Performed {
  readonly output: ActionOutput;
  readonly changes: readonly string[];
}

/** Actions that bring something to a state: that nothing had to change is news. The others look, or make something new. */
const CHANGING: ReadonlySet<ActionRequest['$case']> = new Set([
  'apply',
  'remove',
  'prepareService',
  'prepareSite',
  'removeSite',
  'applyZone',
  'removeZone',
  'applyCluster',
  'removeCluster',
]);

const EXPIRES_MS = 10 * 60_000;
const PREVIEW_TIMEOUT_MS = 10_000;

/**
 * Throws what the agent answered as an error; unavailable when no session came in ten minutes; failed_precondition for a server
 * that was revoked, of which nothing is undone any more: that is told, and answers nothing. part: a step that asks for
 * several actions names each of them, in one attempt always in the same way, so that a repeat finds their results.
 */
export async function perform(
  deps: HandlerDeps,
  ctx: StepContext,
  direction: 'do' | 'undo',
  serverId: string,
  resource: string,
  request: ActionRequest,
  part = '',
): Promise<Performed> {
  const server = await readServer(deps.store, serverId);
  if (server.state === 'revoked') {
    if (direction === 'do') throw new AegirError('failed_precondition', `cannot act on ${server.name}: it was revoked`);
    // For ever: what is there stays as it is, and what is elsewhere is still to be brought back.
    const text = `${server.name} was revoked: what this task did there stays`;
    ctx.emit({ $case: 'log', value: { level: 'warn', text } });
    return { output: ActionOutputMessage.fromPartial({}), changes: [] };
  }
  const order = {
    id: `${ctx.taskId}.${ctx.step}.${direction}.${ctx.attempt}${part === '' ? '' : `.${part}`}`,
    attempt: ctx.attempt,
    generation: ctx.generation,
    resource,
    taskId: ctx.taskId,
    step: ctx.step,
    urgent: ctx.urgent,
    expiresAt: ctx.now() + EXPIRES_MS,
    request,
  };
  const { result, acknowledge } = await deps.agents.perform(serverId, order, {
    signal: ctx.signal,
    onEvent: (event) => {
      // Messages come with the result too, and that one survives a crash: they are told from there.
      if (event.body?.$case !== 'message') pass(ctx, event);
    },
    onWaiting: () =>
      ctx.emit({ $case: 'log', value: { level: 'warn', text: `waiting for the agent of ${server.name} to connect` } }),
  });
  ctx.afterDurable(acknowledge);
  const performed = { output: outputOf(result), changes: result.changes };
  for (const message of performed.output.messages) ctx.emit({ $case: 'message', value: message });
  if (performed.changes.length === 0 && CHANGING.has(request.$case))
    ctx.emit({ $case: 'log', value: { level: 'info', text: 'nothing had to be changed' } });
  return performed;
}

function pass(ctx: StepContext, event: ActionEvent): void {
  if (event.body !== undefined) ctx.emit(event.body);
}

/** What an engine would change now. */
export async function previewOn(
  deps: HandlerDeps,
  serverId: string,
  request: ActionRequest,
  timeoutMs = PREVIEW_TIMEOUT_MS,
): Promise<readonly string[]> {
  const result = await deps.agents.ask(serverId, request, timeoutMs);
  outputOf(result);
  return result.changes;
}

/** What an agent answers to a question now. */
export async function answerOf(
  { agents }: Pick<HandlerDeps, 'agents'>,
  serverId: string,
  request: ActionRequest,
): Promise<ActionOutput> {
  return outputOf(await agents.ask(serverId, request, PREVIEW_TIMEOUT_MS));
}

/** What the platform's code base is on a server, now. */
export async function platformOn(
  deps: Pick<HandlerDeps, 'agents'>,
  serverId: string,
  { id, app, root }: PlatformRecord,
): Promise<PlatformFacts | undefined> {
  const request = { $case: 'verifyPlatform' as const, value: { platform: { id, app, root } } };
  return (await answerOf(deps, serverId, request)).platform;
}

function outputOf(result: ActionResult): ActionOutput {
  const { outcome } = result;
  if (outcome?.$case === 'ok') return outcome.value;
  const error = outcome?.value;
  if (error === undefined) throw new AegirError('internal', 'cannot read the result of an action: it is empty');
  const code = isErrorCode(error.code) ? error.code : 'unknown';
  throw new AegirError(code, error.message, { retryable: error.retryable, untouched: error.untouched });
}
