// The tables as Kysely sees them: fields of the records in camelCase here, snake_case in the database.
import type { Kysely } from 'kysely';
import type { Cell } from './codec.ts';
import type { AuditRecord, EventRecord, StepRecord, TaskRecord, UsageRecord } from './model.ts';

/** Tables that follow the one pattern of record-table.ts. */
export const RECORD_TABLES = [
  'servers',
  'certificates',
  'services',
  'platforms',
  'sites',
  'clients',
  'tokens',
  'secrets',
  'settings',
  'zones',
  'records',
  'crons',
  'heads',
  'backups',
  'backupPolicies',
  'storeHolds',
  'batches',
] as const;
export type RecordTableName = (typeof RECORD_TABLES)[number];

type Row<R> = { [K in keyof R]: Cell };

export type Database = { [T in RecordTableName]: Record<string, Cell> } & {
  siteNames: { name: string; siteId: string };
  tasks: Row<TaskRecord>;
  taskLocks: { taskId: string; key: string; seq: number };
  steps: Row<StepRecord>;
  events: Row<EventRecord>;
  audit: Row<AuditRecord>;
  usageDays: Row<UsageRecord> & { siteId: string; day: string };
  counters: { name: string; value: number };
  schemaVersions: { version: number; name: string; appliedAt: number };
};

export type Db = Kysely<Database>;

export type DatabaseKind = 'sqlite' | 'postgresql';
