// Zones of dns services, and the records that people declared in them.
import type { Access } from './access.ts';
import { flag, integer, json, nullable, text } from './codec.ts';
import type { DnsRecordRecord, ZoneRecord } from './model.ts';
import { createRecordTable } from './record-table.ts';
import type { Table } from './store.ts';

export function createZoneTable(access: Access): Table<ZoneRecord> {
  return createRecordTable<ZoneRecord>(access, {
    table: 'zones',
    noun: 'zone',
    codecs: {
      id: text(),
      name: text(),
      serviceId: text(),
      state: text(),
      nameservers: json(),
      contact: text(),
      ttl: integer(),
      lowTtl: integer(),
      ttlPolicy: text(),
      leadSeconds: integer(),
      negativeTtl: integer(),
      dnssec: flag(),
      createdAt: integer(),
    },
    uniques: [
      { index: 'zones_name', columns: 'zones.name', why: ({ name }) => `there is a zone of the name ${name} already` },
    ],
  });
}

export function createDnsRecordTable(access: Access): Table<DnsRecordRecord> {
  return createRecordTable<DnsRecordRecord>(access, {
    table: 'records',
    noun: 'record',
    codecs: {
      id: text(),
      zoneId: text(),
      name: text(),
      type: text(),
      ttl: nullable(integer()),
      data: text(),
    },
    uniques: [
      {
        index: 'records_place',
        columns: 'records.zone_id, records.name, records.type, records.data',
        why: ({ name, type }) => `the zone has that ${type} record of ${name} already`,
      },
    ],
  });
}
