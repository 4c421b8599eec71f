// The steps of tasks; only the holder of the task's lease writes them.
import { AegirError } from '../../shared/error.ts';
import type { Access } from './access.ts';
import { decodeRow, encodeRow } from './codec.ts';
import type { StepTable } from './store.ts';
import { fence, stepCodecs } from './task-row.ts';

export function createStepTable(access: Access): StepTable {
  return {
    ofTask: (taskId) =>
      access.read(`read the steps of task ${taskId}`, async (db) => {
        const rows = await db.selectFrom('steps').selectAll().where('taskId', '=', taskId).orderBy('index').execute();
        return rows.map((row) => decodeRow(stepCodecs, row));
      }),

    update: (taskId, index, epoch, patch) => {
      const doing = `change step ${index} of task ${taskId}`;
      return access.write(doing, async (db) => {
        await fence(db, access.kind, taskId, epoch);
        for (const fixed of ['taskId', 'index', 'kind']) {
          if (Object.hasOwn(patch, fixed)) {
            throw new AegirError('failed_precondition', `cannot ${doing}: ${fixed} never changes`);
          }
        }
        const row = encodeRow(stepCodecs, patch);
        if (Object.keys(row).length === 0) return;
        const result = await db
          .updateTable('steps')
          .set(row)
          .where('taskId', '=', taskId)
          .where('index', '=', index)
          .executeTakeFirst();
        if (result.numUpdatedRows === 0n) throw new AegirError('not_found', `cannot ${doing}: there is none`);
      });
    },
  };
}
