// Who works on which task: leases, and the order in which tasks that share a lock go.
import type { Access } from './access.ts';
import { decodeRow } from './codec.ts';
import type { DatabaseKind, Db } from './database.ts';
import type { TaskRecord } from './model.ts';
import { pageSize, taskCodecs } from './task-row.ts';

const MOST_CLAIMED = 500;

/** The only writer of a task's owner and epoch, but for renew and releases. */
export function claimTasks(
  access: Access,
  owner: string,
  now: number,
  leaseMs: number,
  limit: number,
): Promise<readonly TaskRecord[]> {
  return access.write('claim tasks', async (db) => {
    const most = pageSize(limit, MOST_CLAIMED);
    const due = [
      ...(await neverBegun(db, access.kind, now)),
      ...(most === 0 ? [] : await dueTasks(db, access.kind, now, most)),
    ];
    if (due.length === 0) return [];
    // After the look, and only when there is something: an idle poll writes nothing and waits for nobody.
    const last = await db
      .updateTable('counters')
      .set((eb) => ({ value: eb('value', '+', due.length) }))
      .where('name', '=', 'lease_epoch')
      .returning('value')
      .executeTakeFirstOrThrow();
    const claimed: TaskRecord[] = [];
    for (const [at, id] of due.entries()) {
      const row = await db
        .updateTable('tasks')
        .set({ leaseOwner: owner, leaseEpoch: last.value - due.length + 1 + at, leaseExpiresAt: now + leaseMs })
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirstOrThrow();
      claimed.push(decodeRow(taskCodecs, row));
    }
    return claimed;
  });
}

/** Cancelled while they were queued: nothing was done, and nothing is to be. */
async function neverBegun(db: Db, kind: DatabaseKind, now: number): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('tasks')
    .select('id')
    .where('state', '=', 'queued')
    .where('cancelRequested', '=', 1)
    .where((eb) => eb.or([eb('leaseExpiresAt', 'is', null), eb('leaseExpiresAt', '<=', now)]))
    .orderBy('seq')
    .limit(MOST_CLAIMED)
    .$if(kind === 'postgresql', (query) => query.forUpdate('tasks').skipLocked())
    .execute();
  return rows.map((row) => String(row.id));
}

async function dueTasks(db: Db, kind: DatabaseKind, now: number, limit: number): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('tasks')
    .select('id')
    .where((eb) =>
      eb.or([
        eb.and([eb('state', '=', 'queued'), eb('cancelRequested', '=', 0)]),
        eb('state', 'in', ['running', 'undoing']),
        eb.and([
          eb('state', '=', 'waiting'),
          // Once undoing has begun the cancel is honoured, and its own waits are waited out.
          eb.or([eb('resumeAt', '<=', now), eb.and([eb('cancelRequested', '=', 1), eb('undoCause', 'is', null)])]),
        ]),
      ]),
    )
    .where((eb) => eb.or([eb('leaseExpiresAt', 'is', null), eb('leaseExpiresAt', '<=', now)]))
    // Locks are there while their task is open, and seq follows the order of commits: see task-table's insert.
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('taskLocks as mine')
            .innerJoin('taskLocks as older', 'older.key', 'mine.key')
            .select('older.key')
            .whereRef('mine.taskId', '=', 'tasks.id')
            .whereRef('older.seq', '<', 'mine.seq'),
        ),
      ),
    )
    .orderBy('seq')
    .limit(limit)
    .$if(kind === 'postgresql', (query) => query.forUpdate('tasks').skipLocked())
    .execute();
  return rows.map((row) => String(row.id));
}
