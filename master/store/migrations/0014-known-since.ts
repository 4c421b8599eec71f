// Version 14: when sizes were measured, and when a backup of a site was last proven, which outlives that backup.
import type { Migration } from './migrations.ts';

export const knownSince: Migration = {
  version: 14,
  name: 'known-since',
  up: ({ integer, text }) => [
    `alter table usage_days add column measured_at ${integer}`,
    `alter table sites add column proven ${text}`,
    `update sites set proven = (
      select '{"at":' || cast(proven_at as text) || ',"backupId":"' || id || '","millis":' || cast(proven_millis as text) || '}'
      from backups where backups.site_id = sites.id and proven_at is not null order by proven_at desc limit 1)`,
  ],
};
