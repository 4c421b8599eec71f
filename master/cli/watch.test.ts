// What a person who follows a task is told, and how often: of a master that is scripted.
import { afterEach, expect, test, vi } from 'vitest';
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
    call: async (_: unknown, { taskId }: { taskId: string }) =>
      taskId === 'task-2'
        ? Task.fromPartial({ id: taskId, state: 'queued', plan: PLAN, behind })
        : Task.fromPartial({ id: taskId, verb: 'store.prune', subject: 'web2/mesh' }),
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
    '  (it waits for task-1 (store.prune of web2/mesh), which came before; to give this one up: aegir task cancel task-2)',
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

afterEach(() => vi.useRealTimers());

test('a step that says nothing for long is told to go on, how far and since when, less and less often', async () => {
  vi.useFakeTimers();
  const more = Promise.withResolvers<void>();
  const state = (step: number, to: string) => ({ step, body: { $case: 'state' as const, value: { to, reason: '' } } });
  const connection = {
    call: async () => Task.fromPartial({ id: 'task-2', state: 'running', plan: PLAN }),
    stream: async function* () {
      yield Event.fromPartial({ seq: 1n, ...state(0, 'doing') });
      yield Event.fromPartial({
        ...{ seq: 2n, step: 0 },
        body: { $case: 'progress', value: { fraction: 0.4, label: '2 MB kept' } },
      });
      await more.promise;
      yield Event.fromPartial({ seq: 3n, ...state(0, 'done') });
      await vi.advanceTimersByTimeAsync(600_000);
      yield Event.fromPartial({ seq: 4n, ...state(1, 'doing') });
      await vi.advanceTimersByTimeAsync(12_000);
    },
  } as unknown as Connection;
  let text = '';
  const stderr = { write: (part: string) => (text += part) };
  const watching = watchTask(connection, { stdout: stderr, stderr, format: 'table' } as never, 'task-2', false);
  await vi.advanceTimersByTimeAsync(1_000_000);
  const told = text.trimEnd().split('\n');
  expect(told).toEqual([
    'Wait for DNS',
    '  [1/2] Look',
    '      still at it: 40% 2 MB kept (for 10 s)',
    '      still at it: 40% 2 MB kept (for 30 s)',
    '      still at it: 40% 2 MB kept (for 70 s)',
    '      still at it: 40% 2 MB kept (for 2 min)',
    '      still at it: 40% 2 MB kept (for 5 min)',
    '      still at it: 40% 2 MB kept (for 10 min)',
    '      still at it: 40% 2 MB kept (for 15 min)',
  ]);
  more.resolve();
  await watching;
  expect(text.trimEnd().split('\n').slice(told.length)).toEqual([
    '  [2/2] Serve',
    '      still at it: Serve (for 10 s)',
  ]);
});
