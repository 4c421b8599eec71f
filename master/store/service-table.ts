// Services: what runs on servers, as their agents detected it.
import { DetectedService } from '../../shared/gen/aegir/v1/agent.ts';
import type { Access } from './access.ts';
import { json, message, text } from './codec.ts';
import type { ServiceRecord } from './model.ts';
import { createRecordTable } from './record-table.ts';
import type { Table } from './store.ts';

export function createServiceTable(access: Access): Table<ServiceRecord> {
  return createRecordTable<ServiceRecord>(access, {
    table: 'services',
    noun: 'service',
    codecs: {
      id: text(),
      serverId: text(),
      type: text(),
      engine: text(),
      instance: text(),
      state: text(),
      stateBefore: text(),
      detected: message(DetectedService),
      origin: text(),
      settings: json(),
      secrets: json(),
    },
    uniques: [
      {
        index: 'services_place',
        columns: 'services.server_id, services.type, services.engine, services.instance',
        why: () => 'its server has a service of that type, engine and instance',
      },
    ],
  });
}
