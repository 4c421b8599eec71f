// What a person who follows a task is told, and how often: of a master that is scripted.
import { expect, test } from 'vitest';
import { Task } from '../../shared/gen/aegir/v1/admin.ts';
import { Event } from '../../shared/gen/aegir/v1/event.ts';
import type { Connection } from './connection.ts';
import { watchTask } from './watch.ts';

const PLAN = {
  summary: 'Wait for DNS',
  steps: [
    { summary: 'Look', undo: '' },
    { summary: 'Serve', undo: '' },
  ],
};

async function watched(behind: string, states: readonly [number | undefined, string, string][]) {
  const events = states.map(([step, to, reason], at) =>
    Event.fromPartial({ seq: BigInt(at + 1), step, body: { $case: 'state', value: { to, reason } } }),
  );
  const connection = {
    call: async () => Task.fromPartial({ id: 'task-2', state: 'queued', plan: PLAN, behind }),
    stream: async function* () {
      yield* events;
    },
  } as unknown as Connection;
  let text = '';
  const stderr = { write: (part: string) => (text += part) };
  await watchTask(connection, { stdout: stderr, stderr, format: 'table' } as never, 'task-2', false);
  return text.trimEnd().split('\n');
}

test('that it waits for an older task is said, with how to give it up', async () => {
  expect(await watched('task-1', [])).toEqual([
    'Wait for DNS',
    '  (it waits for task-1, which is at the same; to give this one up: aegir task cancel task-2)',
  ]);
  expect(await watched('', [])).toEqual(['Wait for DNS']);
});

test('what a task waits for is said when it changes, not at every look', async () => {
  const look = (why: string): [number | undefined, string, string][] => [
    [0, 'doing', ''],
    [0, 'pending', why],
    [undefined, 'waiting', why],
    [undefined, 'running', ''],
  ];
  const lines = await watched('', [
    ...look('the lead'),
    ...look('the lead'),
    ...look('two servers'),
    ...look('the lead'),
    [0, 'doing', ''],
    [0, 'done', ''],
    [1, 'doing', ''],
    [undefined, 'waiting', 'the lead'],
  ]);
  expect(lines).toEqual([
    'Wait for DNS',
    '  [1/2] Look',
    '  waiting: the lead',
    '  waiting: two servers',
    '  waiting: the lead',
    '  [2/2] Serve',
    '  waiting: the lead',
  ]);
});

test('a step that a cancel ended did not fail; one that failed did', async () => {
  const ends = (reason: string): [number | undefined, string, string][] => [
    [0, 'doing', ''],
    [0, 'failed', 'cannot look: it was cancelled'],
    [undefined, 'undoing', reason],
  ];
  const begun = ['Wait for DNS', '  [1/2] Look'];
  expect(await watched('', ends(''))).toEqual([...begun, '  [1/2] cancelled Look']);
  expect(await watched('', ends('cannot look: it is dark'))).toEqual([...begun, '  [1/2] failed   Look']);
  expect(await watched('', ends('').slice(0, 2))).toEqual([...begun, '  [1/2] failed   Look']);
});
