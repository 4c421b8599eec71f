// Who asked for what through the API, and how it ended. Only ever appended.
import type { Access } from './access.ts';
import { type Codecs, decodeRow, encodeRow, integer, programText, text } from './codec.ts';
import type { AuditRecord } from './model.ts';
import type { AuditTable } from './store.ts';
import { pageSize } from './task-row.ts';

const MOST_LISTED = 1000;

const codecs: Codecs<AuditRecord> = {
  seq: integer(),
  time: integer(),
  actor: programText(),
  method: programText(),
  subject: programText(),
  outcome: text(),
};

export function createAuditTable(access: Access): AuditTable {
  return {
    append: (record) =>
      access.write('save an audit record', async (db) => {
        const row = encodeRow(codecs, record as Partial<AuditRecord>);
        await db
          .insertInto('audit')
          .values(row as never)
          .execute();
      }),

    list: (beforeSeq, limit) =>
      access.read('read the audit log', async (db) => {
        let query = db.selectFrom('audit').selectAll().orderBy('seq', 'desc').limit(pageSize(limit, MOST_LISTED));
        if (beforeSeq !== undefined) query = query.where('seq', '<', beforeSeq);
        return (await query.execute()).map((row) => decodeRow(codecs, row));
      }),
  };
}
