// Clients, who own sites, and tokens, by which programs and people come in.
import type { Access } from './access.ts';
import { flag, integer, json, nullable, text } from './codec.ts';
import type { ClientRecord, TokenRecord } from './model.ts';
import { createRecordTable } from './record-table.ts';
import type { Table } from './store.ts';

export function createClientTable(access: Access): Table<ClientRecord> {
  return createRecordTable<ClientRecord>(access, {
    table: 'clients',
    noun: 'client',
    codecs: { id: text(), name: text(), mail: text() },
    uniques: [
      {
        index: 'clients_name',
        columns: 'clients.name',
        why: ({ name }) => `another client has the name ${name}; choose another`,
      },
    ],
  });
}

export function createTokenTable(access: Access): Table<TokenRecord> {
  return createRecordTable<TokenRecord>(access, {
    table: 'tokens',
    noun: 'token',
    codecs: {
      id: text(),
      kind: text(),
      hash: text(),
      description: text(),
      role: text(),
      usesLeft: integer(),
      expiresAt: nullable(integer()),
      createdAt: integer(),
      revokedAt: nullable(integer()),
      autoAccept: flag(),
      autoEnable: json(),
    },
    uniques: [{ index: 'tokens_hash', columns: 'tokens.hash', why: () => 'that token exists already; make a new one' }],
  });
}
