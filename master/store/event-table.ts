// What happened in tasks, as it was told: appended in batches, read in order.
import { sql } from 'kysely';
import { type Access, LOCK_EVENTS } from './access.ts';
import { type Codecs, decodeRow, encodeRow, integer, json, nullable, text } from './codec.ts';
import type { Db } from './database.ts';
import type { EventRecord } from './model.ts';
import type { EventTable } from './store.ts';
import { pageSize } from './task-row.ts';

const MOST_LISTED = 10_000;
/** Rows in one statement: both databases bound its parameters. */
const BATCH = 2000;

const codecs: Codecs<EventRecord> = {
  seq: integer(),
  taskId: text(),
  step: nullable(integer()),
  time: integer(),
  body: json(),
};

export function createEventTable(access: Access): EventTable {
  return {
    append: async (events) => {
      if (events.length === 0) return [];
      return access.write('save events', async (db) => {
        if (access.kind === 'postgresql') await lockTasks(db, events);
        const saved: EventRecord[] = [];
        for (let from = 0; from < events.length; from += BATCH) {
          const batch = events.slice(from, from + BATCH);
          const rows = batch.map((event) => encodeRow(codecs, event));
          const added = await db
            .insertInto('events')
            .values(rows as never)
            .returning('seq')
            .execute();
          // Numbers are given in the order of the rows, but not sure to be answered in it.
          const seqs = added.map((row) => Number(row.seq)).sort((a, b) => a - b);
          for (const [at, event] of batch.entries()) saved.push({ ...event, seq: seqs[at] ?? 0 });
        }
        return saved;
      });
    },

    list: (taskId, afterSeq, limit) =>
      access.read(`read the events of task ${taskId}`, async (db) => {
        const rows = await db
          .selectFrom('events')
          .selectAll()
          .where('taskId', '=', taskId)
          .where('seq', '>', afterSeq)
          .orderBy('seq')
          .limit(pageSize(limit, MOST_LISTED))
          .execute();
        return rows.map((row) => decodeRow(codecs, row));
      }),
  };
}

/**
 * One writer per task at a time: else a smaller seq could be committed after a larger one was read, and whoever
 * follows the task with afterSeq would never see it.
 */
async function lockTasks(db: Db, events: readonly { readonly taskId: string }[]): Promise<void> {
  for (const taskId of [...new Set(events.map((event) => event.taskId))].sort()) {
    await sql`select pg_advisory_xact_lock(${sql.lit(LOCK_EVENTS)}, hashtext(${taskId}))`.execute(db);
  }
}
