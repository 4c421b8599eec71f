// Web servers behind the fronts of clusters.
import type { Access } from './access.ts';
import { integer, text } from './codec.ts';
import type { HeadRecord } from './model.ts';
import { createRecordTable } from './record-table.ts';
import type { Table } from './store.ts';

export function createHeadTable(access: Access): Table<HeadRecord> {
  return createRecordTable<HeadRecord>(access, {
    table: 'heads',
    noun: 'head',
    codecs: { id: text(), clusterId: text(), serviceId: text(), state: text(), weight: integer() },
    uniques: [
      {
        index: 'heads_place',
        columns: 'heads.cluster_id, heads.service_id',
        why: () => 'that web server is a head of the cluster already',
      },
    ],
  });
}
