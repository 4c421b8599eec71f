// Version 7: who may see a site, and what an administrator adds to its virtual host.
import type { Migration } from './migrations.ts';

export const siteAccess: Migration = {
  version: 7,
  name: 'site-access',
  up: ({ text }) => [`alter table sites add column auth ${text}`, `alter table sites add column snippet ${text}`],
};
