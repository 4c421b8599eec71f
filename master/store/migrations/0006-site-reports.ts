// Version 6: how often the cron of a site runs, and what agents report of sites.
import type { Migration } from './migrations.ts';

export const siteReports: Migration = {
  version: 6,
  name: 'site-reports',
  up: ({ text, integer }) => [
    `alter table sites add column cron_seconds ${integer}`,

    `create table crons (
      id ${text} primary key,
      site_id ${text} not null references sites (id) on delete cascade,
      server_id ${text} not null,
      interval_seconds ${integer} not null,
      next_at ${integer},
      last_started_at ${integer},
      last_millis ${integer} not null,
      last_outcome ${text} not null,
      last_text ${text} not null,
      failures ${integer} not null
    )`,
    'create index crons_site on crons (site_id)',

    `create table usage_days (
      site_id ${text} not null references sites (id) on delete cascade,
      server_id ${text} not null,
      day ${text} not null,
      requests ${integer} not null,
      bytes ${integer} not null,
      s1 ${integer} not null,
      s2 ${integer} not null,
      s3 ${integer} not null,
      s4 ${integer} not null,
      s5 ${integer} not null,
      file_bytes ${integer},
      inodes ${integer},
      log_bytes ${integer},
      database_bytes ${integer},
      primary key (site_id, day, server_id)
    )`,
    'create index usage_days_day on usage_days (day)',
  ],
};
