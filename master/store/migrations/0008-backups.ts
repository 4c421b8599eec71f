// Version 8: backups of sites, what is done for them by itself, and who works in a store right now.
import type { Migration } from './migrations.ts';

export const backups: Migration = {
  version: 8,
  name: 'backups',
  up: ({ text, integer }) => [
    // The site may be gone while its backups are there.
    `create table backups (
      id ${text} primary key,
      site_id ${text} not null,
      site_name ${text} not null,
      service_id ${text} not null references services (id),
      state ${text} not null,
      reason ${text} not null,
      note ${text} not null,
      task_id ${text} not null,
      taken_at ${integer} not null,
      bytes ${integer} not null,
      new_bytes ${integer} not null,
      stored_bytes ${integer} not null,
      chunks ${integer} not null,
      digest ${text} not null,
      parts ${text} not null,
      site ${text} not null,
      verified_at ${integer},
      tried_at ${integer},
      proven_at ${integer},
      proven_millis ${integer} not null,
      problem ${text} not null,
      keep ${integer} not null
    )`,
    'create index backups_site on backups (site_id)',
    'create index backups_service on backups (service_id)',

    `create table backup_policies (
      id ${text} primary key,
      every_seconds ${integer} not null,
      service_id ${text},
      keep_last ${integer} not null,
      keep_daily ${integer} not null,
      keep_weekly ${integer} not null,
      keep_monthly ${integer} not null,
      keep_yearly ${integer} not null,
      drill_every_seconds ${integer} not null,
      drill_server_id ${text}
    )`,

    `create table store_holds (
      id ${text} primary key,
      store ${text} not null,
      task_id ${text} not null,
      mode ${text} not null
    )`,
    'create index store_holds_store on store_holds (store)',
  ],
};
