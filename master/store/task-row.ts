// Tasks and steps as rows, and the fence that every write of a task's runner passes.
import { AegirError } from '../../shared/error.ts';
import { type Codecs, flag, integer, json, nullable, programText, real, text } from './codec.ts';
import type { DatabaseKind, Db } from './database.ts';
import { ENDED_TASK_STATES, type StepRecord, type TaskRecord, type TaskState } from './model.ts';

export const taskCodecs: Codecs<TaskRecord> = {
  id: text(),
  seq: integer(),
  verb: text(),
  subjectId: text(),
  subject: text(),
  state: text(),
  reason: programText(),
  actor: text(),
  plan: json(),
  createdAt: integer(),
  startedAt: nullable(integer()),
  finishedAt: nullable(integer()),
  resumeAt: nullable(integer()),
  cancelRequested: flag(),
  undoCause: nullable(text<'failure' | 'cancel'>()),
  idempotencyKey: nullable(text()),
  leaseOwner: nullable(text()),
  leaseEpoch: integer(),
  leaseExpiresAt: nullable(integer()),
};

export const stepCodecs: Codecs<StepRecord> = {
  taskId: text(),
  index: integer(),
  kind: text(),
  state: text(),
  attempts: integer(),
  undoAttempts: integer(),
  result: nullable(json()),
  error: programText(),
  progress: real(),
  label: programText(),
  notBefore: nullable(integer()),
  startedAt: nullable(integer()),
};

export function hasEnded(state: TaskState): boolean {
  return (ENDED_TASK_STATES as readonly string[]).includes(state);
}

/**
 * Holds the task's row until the transaction ends, so that no claim can come between the look and the write.
 * Throws not_found, or aborted when another claim has been since. Answers the task's state.
 */
export async function fence(db: Db, kind: DatabaseKind, id: string, epoch: number): Promise<TaskState> {
  const row = await db
    .selectFrom('tasks')
    .select(['leaseEpoch', 'state'])
    .where('id', '=', id)
    .$if(kind === 'postgresql', (query) => query.forUpdate())
    .executeTakeFirst();
  if (!row) throw new AegirError('not_found', `cannot write task ${id}: there is none`);
  if (row.leaseEpoch !== epoch) {
    throw new AegirError(
      'aborted',
      `cannot write task ${id}: lease lost (epoch ${epoch}, by now ${row.leaseEpoch}); another runner goes on with it`,
      { retryable: false },
    );
  }
  return row.state as TaskState;
}

/** A page's size as asked for, within bounds. */
export function pageSize(limit: number, most: number): number {
  if (Number.isInteger(limit) && limit >= 0) return Math.min(limit, most);
  throw new AegirError('invalid_argument', `cannot read a page of ${limit}: the limit is an integer from 0`);
}
