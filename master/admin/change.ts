// The one way in for everything that makes a task: decide (pure), then plan only, or save wish, plan and task at once.
import { isDeepStrictEqual } from 'node:util';
import { AegirError } from '../../shared/error.ts';
import type { ChangeResponse } from '../../shared/gen/aegir/v1/admin.ts';
import type { Graph } from '../graph/graph.ts';
import type { Plan } from '../plan/plan.ts';
import type { Verb } from '../plan/verbs.ts';
import type { JsonObject } from '../store/model.ts';
import type { Tx } from '../store/store.ts';
import { readBasis } from '../task/basis.ts';
import type { AdminDeps, Caller, Draft, Options } from './deps.ts';
import { loadGraph } from './load.ts';
import { planOf, planView } from './view-task.ts';

export interface Decision {
  readonly plan: Plan;
  /** Saved with the task, in the same transaction. */
  readonly save?: (tx: Tx, taskId: string) => Promise<void>;
  readonly draft?: Draft;
}

const KEY_LIFE_MS = 24 * 3600 * 1000;
const MAX_KEY = 64;

/** request: what was asked, as JSON without its options; kept in the plan for a retry. */
export async function change(
  deps: AdminDeps,
  caller: Caller,
  options: Options,
  request: JsonObject & { readonly method: Verb },
  decide: (graph: Graph) => Decision,
): Promise<ChangeResponse> {
  const key = options?.idempotencyKey ?? '';
  if (key.length > MAX_KEY || /[^\x21-\x7e]/.test(key)) {
    throw new AegirError(
      'invalid_argument',
      `cannot use that idempotency key: 1 to ${MAX_KEY} printable characters are needed`,
    );
  }
  if (options?.planOnly === true) return previewed(deps, caller, decide(await loadGraph(deps.store)));

  const answer = await deps.store.transaction(async (tx): Promise<ChangeResponse> => {
    const graph = await loadGraph(tx);
    const before =
      key === '' ? undefined : await tx.tasks.byIdempotencyKey(caller.actor, key, deps.now() - KEY_LIFE_MS);
    if (before !== undefined) {
      if (!isDeepStrictEqual(planOf(before).request, JSON.parse(JSON.stringify(request)))) {
        throw new AegirError(
          'already_exists',
          `cannot use that idempotency key: it stands for another request, ${before.verb} of ${before.subject} ` +
            `(${before.id}); choose another one`,
        );
      }
      return { plan: planView(planOf(before), graph), taskId: before.id, subjectId: before.subjectId };
    }
    const decision = decide(graph);
    const decided = { ...decision.plan, request };
    if (decided.steps.length === 0) return { plan: planView(decided, graph), taskId: '', subjectId: decided.subjectId };
    const taskId = deps.newId('task');
    await decision.save?.(tx, taskId);
    const plan = { ...decided, basis: await readBasis(tx, decided) };
    await tx.tasks.insert({
      id: taskId,
      verb: plan.verb,
      subjectId: plan.subjectId,
      subject: plan.subject,
      state: 'queued',
      reason: '',
      actor: caller.actor,
      plan: plan as unknown as JsonObject,
      createdAt: deps.now(),
      startedAt: null,
      finishedAt: null,
      resumeAt: null,
      cancelRequested: false,
      undoCause: null,
      idempotencyKey: key === '' ? null : key,
      locks: plan.locks,
      steps: plan.steps.map((step) => ({ kind: step.kind })),
    });
    return { plan: planView(plan, graph), taskId, subjectId: plan.subjectId };
  });
  if (answer.taskId !== '') deps.wakeRunner();
  return answer;
}

async function previewed(deps: AdminDeps, caller: Caller, decision: Decision): Promise<ChangeResponse> {
  const graph = await loadGraph(deps.store);
  const plan = planView(decision.plan, graph);
  const previews = await deps.preview(decision.plan, decision.draft ?? {}, caller.role);
  for (const [index, step] of plan.steps.entries()) {
    step.changes = [...(previews[index]?.changes ?? [])];
    step.previewNote = previews[index]?.note ?? '';
    step.refused = previews[index]?.refusal !== undefined;
  }
  return { plan, taskId: '', subjectId: decision.draft === undefined ? decision.plan.subjectId : '' };
}

/**
 * What the agent surely refuses is refused before a task begins: one that is undone leaves nothing that could be corrected.
 * An agent that is away judges when it does the task. Throws failed_precondition, whatever the agent calls it: what it refuses
 * is wrong for that server, as a plan tells too, and neither no request at all nor denied to this caller.
 */
export async function requireTaken(deps: AdminDeps, caller: Caller, decide: (graph: Graph) => Decision): Promise<void> {
  let decision: Decision;
  try {
    decision = decide(await loadGraph(deps.store));
  } catch {
    // The call itself throws it, or knows that it is a repeat.
    return;
  }
  const previews = await deps.preview(decision.plan, decision.draft ?? {}, caller.role);
  const refusal = previews.find((each) => each.refusal !== undefined)?.refusal;
  if (refusal === undefined) return;
  throw new AegirError('failed_precondition', refusal.message, { cause: refusal });
}
