// Tasks and plans as the API's messages.
import type { Copied, Plan as PlanMessage, Step, Task } from '../../shared/gen/aegir/v1/admin.ts';
import type { Graph } from '../graph/graph.ts';
import type { Plan } from '../plan/plan.ts';
import type { JsonObject, StepRecord, TaskRecord } from '../store/model.ts';
import { date } from './view.ts';

export function planView(plan: Plan, graph: Graph): PlanMessage {
  const names = new Map(graph.servers.map((server) => [server.id, server.name]));
  return {
    verb: plan.verb,
    summary: plan.summary,
    steps: plan.steps.map((step) => ({
      kind: step.kind,
      summary: step.summary,
      server: step.serverId === null ? '' : (names.get(step.serverId) ?? step.serverId),
      undo: 'summary' in step.undo ? step.undo.summary : '',
      noUndoReason: 'none' in step.undo ? step.undo.none : '',
      changes: [],
      previewNote: '',
      refused: false,
    })),
    warnings: [...plan.warnings],
    pointOfNoReturn: plan.pointOfNoReturn ?? undefined,
  };
}

/** details: undefined leaves plan and steps out, as in lists. */
export function taskView(
  task: TaskRecord,
  details?: { plan: PlanMessage; steps: readonly StepRecord[]; behind: string },
): Task {
  return {
    id: task.id,
    verb: task.verb,
    subjectId: task.subjectId,
    subject: task.subject,
    state: task.state,
    reason: task.reason,
    actor: task.actor,
    plan: details?.plan,
    steps: (details?.steps ?? []).map((step) => stepView(step, task.finishedAt !== null)),
    createdAt: date(task.createdAt),
    startedAt: date(task.startedAt),
    finishedAt: date(task.finishedAt),
    resumeAt: date(task.resumeAt),
    cancelRequested: task.cancelRequested,
    copied: copiedOf(details?.steps ?? []),
    retriable: isRetriable(task),
    behind: details?.behind ?? '',
  };
}

/** Secrets are in no plan: what came with some cannot be asked again from it. */
function isRetriable(task: TaskRecord): boolean {
  if (task.state === 'stuck') return true;
  const asked = planOf(task).request;
  return (
    (task.state === 'failed' || task.state === 'cancelled') && asked !== undefined && secretKeysOf(asked).length === 0
  );
}

export function secretKeysOf(asked: JsonObject): readonly unknown[] {
  const keys = asked['secretKeys'];
  return Array.isArray(keys) ? keys : [];
}

/** Passes of files and of the database follow each other: each says how large its part was then. */
function copiedOf(steps: readonly StepRecord[]): Copied | undefined {
  const sizes = new Map<unknown, number>();
  let sent = 0;
  for (const { result } of steps) {
    if (result === null || typeof result['copied'] !== 'string') continue;
    sent += Number(result['received'] ?? 0);
    if (typeof result['bytes'] === 'number') sizes.set(result['copied'], result['bytes']);
  }
  if (sizes.size === 0) return undefined;
  const siteBytes = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  return { siteBytes: BigInt(siteBytes), sentBytes: BigInt(sent) };
}

function stepView(step: StepRecord, over: boolean): Step {
  return {
    index: step.index,
    state: over && step.state === 'pending' ? 'not_run' : step.state,
    attempts: step.attempts,
    error: step.error,
    progress: step.progress,
    label: step.label,
  };
}

/** The plan stored with a task; the store keeps it as the JSON that change() gave. */
export function planOf(task: TaskRecord): Plan {
  return task.plan as unknown as Plan;
}
