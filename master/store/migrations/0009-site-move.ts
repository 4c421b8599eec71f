// Version 9: sites on their way to other services.
import type { Migration } from './migrations.ts';

export const siteMove: Migration = {
  version: 9,
  name: 'site-move',
  up: ({ text }) => [`alter table sites add column moving ${text}`],
};
