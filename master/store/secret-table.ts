// Sealed secrets, and small single settings.
import type { Access } from './access.ts';
import { text } from './codec.ts';
import type { SecretRecord, SettingRecord } from './model.ts';
import { createRecordTable } from './record-table.ts';
import type { Table } from './store.ts';

export function createSecretTable(access: Access): Table<SecretRecord> {
  return createRecordTable<SecretRecord>(access, {
    table: 'secrets',
    noun: 'secret',
    codecs: { id: text(), sealed: text() },
    uniques: [],
  });
}

export function createSettingTable(access: Access): Table<SettingRecord> {
  return createRecordTable<SettingRecord>(access, {
    table: 'settings',
    noun: 'setting',
    codecs: { id: text(), value: text() },
    uniques: [],
  });
}
