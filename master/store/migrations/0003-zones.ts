// Version 3: zones with the records that people declare, and services that people declare.
import type { Migration } from './migrations.ts';

export const zones: Migration = {
  version: 3,
  name: 'zones',
  up: ({ text, integer }) => [
    `alter table services add column origin ${text} not null default 'detected'`,
    `alter table services add column settings ${text} not null default '{}'`,
    `alter table services add column secrets ${text} not null default '{}'`,

    `create table zones (
      id ${text} primary key,
      name ${text} not null,
      service_id ${text} not null references services (id),
      state ${text} not null,
      nameservers ${text} not null,
      contact ${text} not null,
      ttl ${integer} not null,
      low_ttl ${integer} not null,
      ttl_policy ${text} not null,
      lead_seconds ${integer} not null,
      negative_ttl ${integer} not null,
      dnssec ${integer} not null,
      created_at ${integer} not null
    )`,
    'create unique index zones_name on zones (name)',
    'create index zones_service on zones (service_id)',

    `create table records (
      id ${text} primary key,
      zone_id ${text} not null references zones (id),
      name ${text} not null,
      type ${text} not null,
      ttl ${integer},
      data ${text} not null
    )`,
    'create unique index records_place on records (zone_id, name, type, data)',
  ],
};
