// Version 9: sites on their way to other services, one or many.
import type { Migration } from './migrations.ts';

export const siteMove: Migration = {
  version: 9,
  name: 'site-move',
  up: ({ text, integer }) => [
    `alter table sites add column moving ${text}`,
    `create table batches (
      id ${text} primary key,
      summary ${text} not null,
      state ${text} not null,
      actor ${text} not null,
      wish ${text} not null,
      at_once ${integer} not null,
      stop_after ${integer} not null,
      failures ${integer} not null,
      round ${integer} not null,
      sites ${text} not null,
      created_at ${integer} not null)`,
  ],
};
