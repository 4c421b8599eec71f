// How the cron of sites stands, by site and server, as agents reported it last.
import type { Access } from './access.ts';
import { integer, nullable, programText, text } from './codec.ts';
import type { CronRecord } from './model.ts';
import { createRecordTable } from './record-table.ts';
import type { Table } from './store.ts';

export function createCronTable(access: Access): Table<CronRecord> {
  return createRecordTable<CronRecord>(access, {
    table: 'crons',
    noun: 'cron',
    codecs: {
      id: text(),
      siteId: text(),
      serverId: text(),
      intervalSeconds: integer(),
      nextAt: nullable(integer()),
      lastStartedAt: nullable(integer()),
      lastMillis: integer(),
      lastOutcome: text(),
      lastText: programText(),
      failures: integer(),
    },
    uniques: [],
  });
}
