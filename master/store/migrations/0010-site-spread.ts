// Version 10: which head of a cluster takes the writes of a site whose heads have files of their own.
import type { Migration } from './migrations.ts';

export const siteSpread: Migration = {
  version: 10,
  name: 'site-spread',
  up: ({ text }) => [`alter table sites add column spread ${text}`],
};
