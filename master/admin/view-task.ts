// Tasks and plans as the API's messages.
import type { Plan as PlanMessage, Step, Task } from '../../shared/gen/aegir/v1/admin.ts';
import type { Graph } from '../graph/graph.ts';
import type { Plan } from '../plan/plan.ts';
import type { StepRecord, TaskRecord } from '../store/model.ts';
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
export function taskView(task: TaskRecord, details?: { plan: PlanMessage; steps: readonly StepRecord[] }): Task {
  return {
    id: task.id,
    verb: task.verb,
    subjectId: task.subjectId,
    subject: task.subject,
    state: task.state,
    reason: task.reason,
    actor: task.actor,
    plan: details?.plan,
    steps: (details?.steps ?? []).map(stepView),
    createdAt: date(task.createdAt),
    startedAt: date(task.startedAt),
    finishedAt: date(task.finishedAt),
    resumeAt: date(task.resumeAt),
    cancelRequested: task.cancelRequested,
  };
}

function stepView(step: StepRecord): Step {
  return {
    index: step.index,
    state: step.state,
    attempts: step.attempts,
    error: step.error,
    progress: step.progress,
    label: step.label,
  };
}
