// Version 11: sites whose names a person sets, although zones of ours hold them.
import type { Migration } from './migrations.ts';

export const siteDns: Migration = {
  version: 11,
  name: 'site-dns',
  up: ({ integer }) => [`alter table sites add column dns_by_hand ${integer} not null default 0`],
};
