// Version 5: web servers behind the fronts of clusters, and numbers of system users that are the same on all of them.
import type { Migration } from './migrations.ts';

export const clusters: Migration = {
  version: 5,
  name: 'clusters',
  up: ({ text, integer }) => [
    `alter table sites add column uid ${integer} not null default 0`,
    'create unique index sites_uid on sites (uid) where uid <> 0',
    `create table heads (
      id ${text} primary key,
      cluster_id ${text} not null references services (id),
      service_id ${text} not null references services (id),
      state ${text} not null,
      weight ${integer} not null
    )`,
    'create unique index heads_place on heads (cluster_id, service_id)',
    'create index heads_service on heads (service_id)',
  ],
};
