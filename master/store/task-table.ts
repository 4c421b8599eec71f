// Tasks with their locks: asked for by people, worked on by whoever holds the lease.
import { AegirError } from '../../shared/error.ts';
import type { Access } from './access.ts';
import { decodeRow, encodeRow } from './codec.ts';
import type { Db } from './database.ts';
import { violates } from './database-error.ts';
import { OPEN_TASK_STATES, type TaskRecord } from './model.ts';
import type { NewTask, TaskTable } from './store.ts';
import { claimTasks } from './task-claim.ts';
import { fence, hasEnded, pageSize, stepCodecs, taskCodecs } from './task-row.ts';

const MOST_LISTED = 1000;
/** A cluster of some two thousand sites gets another head in one task; its plan still fits into a message of the API. */
const MOST_STEPS = 8000;
const MOST_LOCKS = 8000;
/** Rows of one statement: databases bound its parameters. */
const AT_ONCE = 1000;
const FREE = { leaseOwner: null, leaseExpiresAt: null } as const;

export function createTaskTable(access: Access): TaskTable {
  return {
    get: (id) =>
      access.read(`read task ${id}`, async (db) => {
        const row = await db.selectFrom('tasks').selectAll().where('id', '=', id).executeTakeFirst();
        return row && decodeRow(taskCodecs, row);
      }),

    list: ({ state, subjectId, beforeSeq, limit }) =>
      access.read('list tasks', async (db) => {
        let query = db.selectFrom('tasks').selectAll().orderBy('seq', 'desc').limit(pageSize(limit, MOST_LISTED));
        if (state !== undefined) query = query.where('state', '=', state);
        if (subjectId !== undefined) query = query.where('subjectId', 'in', [subjectId].flat());
        if (beforeSeq !== undefined) query = query.where('seq', '<', beforeSeq);
        return (await query.execute()).map((row) => decodeRow(taskCodecs, row));
      }),

    // A graph write: so seq follows the order of commits, and nobody claims a younger task before an older is seen.
    insert: (task) => access.writeGraph(`save task ${task.id}`, (db) => insertTask(db, task)),

    ahead: (id) =>
      access.read(`see what task ${id} waits for`, async (db) => {
        const row = await db
          .selectFrom('taskLocks as mine')
          .innerJoin('taskLocks as older', 'older.key', 'mine.key')
          .select('older.taskId')
          .where('mine.taskId', '=', id)
          .whereRef('older.seq', '<', 'mine.seq')
          .orderBy('older.seq')
          .limit(1)
          .executeTakeFirst();
        return row && String(row.taskId);
      }),

    byIdempotencyKey: (actor, key, since) =>
      access.read('look for a repeated request', async (db) => {
        const row = await db
          .selectFrom('tasks')
          .selectAll()
          .where('actor', '=', actor)
          .where('idempotencyKey', '=', key)
          .where('createdAt', '>=', since)
          .executeTakeFirst();
        return row && decodeRow(taskCodecs, row);
      }),

    claim: (owner, now, leaseMs, limit) => claimTasks(access, owner, now, leaseMs, limit),

    renew: (owner, now, leaseMs) =>
      access.write('renew leases', async (db) => {
        const rows = await db
          .updateTable('tasks')
          .set({ leaseExpiresAt: now + leaseMs })
          .where('leaseOwner', '=', owner)
          .returning('id')
          .execute();
        return rows.map((row) => String(row.id)).sort();
      }),

    raiseEpoch: (atLeast) =>
      access.write('raise the epoch', async (db) => {
        const { value } = await db
          .selectFrom('counters')
          .select('value')
          .where('name', '=', 'lease_epoch')
          .executeTakeFirstOrThrow();
        if (value >= atLeast) return false;
        await db.updateTable('counters').set({ value: atLeast }).where('name', '=', 'lease_epoch').execute();
        await db.updateTable('tasks').set(FREE).where('leaseOwner', 'is not', null).execute();
        return true;
      }),

    epoch: () =>
      access.read('read the epoch', async (db) => {
        const { value } = await db
          .selectFrom('counters')
          .select('value')
          .where('name', '=', 'lease_epoch')
          .executeTakeFirstOrThrow();
        return value;
      }),

    breakLeases: async () => {
      if (access.kind !== 'sqlite') {
        throw new AegirError('failed_precondition', 'cannot break leases: other masters may live on this store');
      }
      await access.write('break leases', (db) =>
        db.updateTable('tasks').set(FREE).where('leaseOwner', 'is not', null).execute(),
      );
    },

    update: (id, epoch, patch) =>
      access.write(`change task ${id}`, async (db) => {
        const before = await fence(db, access.kind, id, epoch);
        await updateTask(db, id, epoch, before, patch);
      }),

    requestCancel: (id) =>
      access.write(`cancel task ${id}`, async (db) => {
        const result = await db
          .updateTable('tasks')
          .set({ cancelRequested: 1 })
          .where('id', '=', id)
          .where('state', 'in', OPEN_TASK_STATES)
          .executeTakeFirst();
        return result.numUpdatedRows > 0n;
      }),

    unstick: (id) =>
      access.write(`let task ${id} go on`, async (db) => {
        const result = await db
          .updateTable('tasks')
          .set((eb) => ({
            state: eb.case().when('undoCause', 'is', null).then('running').else('undoing').end(),
            reason: '',
            ...FREE,
          }))
          .where('id', '=', id)
          .where('state', '=', 'stuck')
          .executeTakeFirst();
        return result.numUpdatedRows > 0n;
      }),

    nextResume: () =>
      access.read('look for the next task to resume', async (db) => {
        const row = await db
          .selectFrom('tasks')
          .select((eb) => eb.fn.min('resumeAt').as('at'))
          .where('state', '=', 'waiting')
          .executeTakeFirst();
        return row?.at === null || row?.at === undefined ? undefined : Number(row.at);
      }),

    countOpen: () =>
      access.read('count tasks', async (db) => {
        const row = await db
          .selectFrom('tasks')
          .select((eb) => eb.fn.countAll().as('n'))
          .where('state', 'in', OPEN_TASK_STATES)
          .executeTakeFirstOrThrow();
        return Number(row.n);
      }),
  };
}

async function insertTask(db: Db, task: NewTask): Promise<void> {
  const { locks, steps, ...fields } = task;
  const refuse = (code: 'already_exists' | 'invalid_argument', why: string, cause?: unknown): never => {
    throw new AegirError(code, `cannot save task ${task.id}: ${why}`, { cause });
  };
  if (steps.length > MOST_STEPS) refuse('invalid_argument', `it has more than ${MOST_STEPS} steps`);
  const keys = [...new Set(locks)];
  if (keys.length > MOST_LOCKS) refuse('invalid_argument', `it needs more than ${MOST_LOCKS} locks`);

  const row = encodeRow(taskCodecs, { ...fields, leaseOwner: null, leaseEpoch: 0, leaseExpiresAt: null });
  let seq: number;
  try {
    const added = await db
      .insertInto('tasks')
      .values(row as never)
      .returning('seq')
      .executeTakeFirstOrThrow();
    seq = Number(added.seq);
  } catch (thrown) {
    if (violates(thrown, { index: 'tasks_id', columns: 'tasks.id' })) {
      refuse('already_exists', 'that id is taken', thrown);
    }
    if (violates(thrown, { index: 'tasks_idempotency', columns: 'tasks.actor, tasks.idempotency_key' })) {
      refuse('already_exists', 'its idempotency key was used before by the same actor', thrown);
    }
    throw thrown;
  }
  for (const some of inPieces(keys)) {
    await db
      .insertInto('taskLocks')
      .values(some.map((key) => ({ taskId: task.id, key, seq })))
      .execute();
  }
  const rows = steps.map(({ kind }, index) =>
    encodeRow(stepCodecs, {
      taskId: task.id,
      index,
      kind,
      state: 'pending',
      attempts: 0,
      undoAttempts: 0,
      result: null,
      error: '',
      progress: 0,
      label: '',
      notBefore: null,
      startedAt: null,
    }),
  );
  for (const some of inPieces(rows)) {
    await db
      .insertInto('steps')
      .values(some as never)
      .execute();
  }
}

function inPieces<T>(all: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / AT_ONCE) }, (_, n) => all.slice(n * AT_ONCE, (n + 1) * AT_ONCE));
}

type TaskPatch = Parameters<TaskTable['update']>[2];

async function updateTask(
  db: Db,
  id: string,
  epoch: number,
  before: TaskRecord['state'],
  patch: TaskPatch,
): Promise<void> {
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot change task ${id}: ${why}`);
  };
  if (patch.leaseEpoch !== undefined && patch.leaseEpoch !== epoch) refuse('only a claim changes the lease epoch');
  for (const fixed of ['id', 'seq', 'plan']) if (Object.hasOwn(patch, fixed)) refuse(`${fixed} never changes`);
  const state = patch.state ?? before;
  if (hasEnded(before) && state !== before) refuse(`it has ended (${before}), and its locks are free`);

  // Nobody works on a task that waits, is stuck or has ended: whoever claims it next need not wait for the lease's end.
  const leaves = patch.state !== undefined && (state === 'waiting' || state === 'stuck' || hasEnded(state));
  const row = { ...encodeRow(taskCodecs, patch), ...(leaves ? FREE : {}) };
  if (Object.keys(row).length === 0) return;
  await db.updateTable('tasks').set(row).where('id', '=', id).execute();
  if (hasEnded(state)) await db.deleteFrom('taskLocks').where('taskId', '=', id).execute();
}
