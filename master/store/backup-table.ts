// Backups of sites, what is done for them by itself, and who works in their stores.
import type { Access } from './access.ts';
import { flag, integer, json, nullable, programText, text } from './codec.ts';
import type { BackupPolicyRecord, BackupRecord, StoreHoldRecord } from './model-backup.ts';
import { createRecordTable } from './record-table.ts';
import type { Table } from './store.ts';

export function createBackupTable(access: Access): Table<BackupRecord> {
  return createRecordTable<BackupRecord>(access, {
    table: 'backups',
    noun: 'backup',
    codecs: {
      id: text(),
      siteId: text(),
      siteName: text(),
      serviceId: text(),
      state: text(),
      reason: text(),
      note: text(),
      taskId: text(),
      takenAt: integer(),
      bytes: integer(),
      newBytes: integer(),
      storedBytes: integer(),
      chunks: integer(),
      digest: text(),
      parts: json(),
      site: json(),
      verifiedAt: nullable(integer()),
      triedAt: nullable(integer()),
      provenAt: nullable(integer()),
      provenMillis: integer(),
      problem: programText(),
      keep: flag(),
    },
    uniques: [],
  });
}

export function createBackupPolicyTable(access: Access): Table<BackupPolicyRecord> {
  return createRecordTable<BackupPolicyRecord>(access, {
    table: 'backupPolicies',
    noun: 'backup policy',
    codecs: {
      id: text(),
      everySeconds: integer(),
      serviceId: nullable(text()),
      keepLast: integer(),
      keepDaily: integer(),
      keepWeekly: integer(),
      keepMonthly: integer(),
      keepYearly: integer(),
      drillEverySeconds: integer(),
      drillServerId: nullable(text()),
    },
    uniques: [],
  });
}

export function createStoreHoldTable(access: Access): Table<StoreHoldRecord> {
  return createRecordTable<StoreHoldRecord>(access, {
    table: 'storeHolds',
    noun: 'hold',
    codecs: { id: text(), store: text(), taskId: text(), mode: text() },
    uniques: [],
  });
}
