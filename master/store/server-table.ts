// Servers and the certificates they were given.
import { HostFacts } from '../../shared/gen/aegir/v1/agent.ts';
import type { Access } from './access.ts';
import { integer, json, message, nullable, text } from './codec.ts';
import type { CertificateRecord, ServerRecord } from './model.ts';
import { createRecordTable } from './record-table.ts';
import type { Table } from './store.ts';

export function createServerTable(access: Access): Table<ServerRecord> {
  return createRecordTable<ServerRecord>(access, {
    table: 'servers',
    noun: 'server',
    codecs: {
      id: text(),
      name: text(),
      state: text(),
      facts: message(HostFacts),
      autoEnable: json(),
      enrolledAt: integer(),
      lastSeenAt: nullable(integer()),
      certificateExpiresAt: integer(),
    },
    uniques: [
      {
        index: 'servers_name',
        columns: 'servers.name',
        why: ({ name }) => `another server has ${name === undefined ? 'its name' : `the name ${name}`}; choose another`,
      },
    ],
  });
}

export function createCertificateTable(access: Access): Table<CertificateRecord> {
  return createRecordTable<CertificateRecord>(access, {
    table: 'certificates',
    noun: 'certificate',
    codecs: {
      id: text(),
      serverId: text(),
      notAfter: integer(),
      revokedAt: nullable(integer()),
    },
    uniques: [],
  });
}
