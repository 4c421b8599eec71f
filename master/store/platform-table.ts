// Platforms: code bases on http services.
import { PlatformFacts } from '../../shared/gen/aegir/v1/agent.ts';
import type { Access } from './access.ts';
import { message, nullable, text } from './codec.ts';
import type { PlatformRecord } from './model.ts';
import { createRecordTable } from './record-table.ts';
import type { Table } from './store.ts';

export function createPlatformTable(access: Access): Table<PlatformRecord> {
  return createRecordTable<PlatformRecord>(access, {
    table: 'platforms',
    noun: 'platform',
    codecs: {
      id: text(),
      name: text(),
      app: text(),
      serviceId: text(),
      root: text(),
      state: text(),
      facts: nullable(message(PlatformFacts)),
    },
    uniques: [
      {
        index: 'platforms_name',
        columns: 'platforms.name',
        why: ({ name }) => `another platform has the name ${name}; choose another`,
      },
    ],
  });
}
