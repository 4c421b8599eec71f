// Version 2: tasks with steps and locks, events, the audit log.
import type { Migration } from './migrations.ts';

export const tasks: Migration = {
  version: 2,
  name: 'tasks',
  up: ({ text, integer, real, seq }) => [
    `create table tasks (
      seq ${seq},
      id ${text} not null,
      verb ${text} not null,
      subject_id ${text} not null,
      subject ${text} not null,
      state ${text} not null,
      reason ${text} not null,
      actor ${text} not null,
      plan ${text} not null,
      created_at ${integer} not null,
      started_at ${integer},
      finished_at ${integer},
      resume_at ${integer},
      cancel_requested ${integer} not null,
      undo_cause ${text},
      idempotency_key ${text},
      lease_owner ${text},
      lease_epoch ${integer} not null,
      lease_expires_at ${integer}
    )`,
    'create unique index tasks_id on tasks (id)',
    'create unique index tasks_idempotency on tasks (actor, idempotency_key) where idempotency_key is not null',
    'create index tasks_state on tasks (state, seq)',
    'create index tasks_subject on tasks (subject_id, seq)',
    'create index tasks_owner on tasks (lease_owner) where lease_owner is not null',

    `create table task_locks (
      key ${text} not null,
      seq ${integer} not null,
      task_id ${text} not null references tasks (id),
      primary key (key, seq)
    )`,
    'create index task_locks_task on task_locks (task_id)',

    `create table steps (
      task_id ${text} not null references tasks (id),
      "index" ${integer} not null,
      kind ${text} not null,
      state ${text} not null,
      attempts ${integer} not null,
      undo_attempts ${integer} not null,
      result ${text},
      error ${text} not null,
      progress ${real} not null,
      label ${text} not null,
      not_before ${integer},
      started_at ${integer},
      primary key (task_id, "index")
    )`,

    `create table events (
      seq ${seq},
      task_id ${text} not null,
      step ${integer},
      time ${integer} not null,
      body ${text} not null
    )`,
    'create index events_task on events (task_id, seq)',

    `create table audit (
      seq ${seq},
      time ${integer} not null,
      actor ${text} not null,
      method ${text} not null,
      subject ${text} not null,
      outcome ${text} not null
    )`,

    `create table counters (name ${text} primary key, value ${integer} not null)`,
    `insert into counters (name, value) values ('lease_epoch', 0)`,
  ],
};
