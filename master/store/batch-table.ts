// Moves of many sites.
import type { Access } from './access.ts';
import { integer, json, text } from './codec.ts';
import type { BatchRecord } from './model-batch.ts';
import { createRecordTable } from './record-table.ts';
import type { Table } from './store.ts';

export function createBatchTable(access: Access): Table<BatchRecord> {
  return createRecordTable<BatchRecord>(access, {
    table: 'batches',
    noun: 'batch',
    codecs: {
      id: text(),
      summary: text(),
      state: text(),
      actor: text(),
      wish: json(),
      atOnce: integer(),
      stopAfter: integer(),
      failures: integer(),
      round: integer(),
      sites: json(),
      createdAt: integer(),
    },
    uniques: [],
  });
}
