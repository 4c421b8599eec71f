// Events: in order, whole after any seq, bounded for slow watchers and long texts, sealed where they hold a secret, and
// ended with their task.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Event } from '../../shared/gen/aegir/v1/event.ts';
import type { TaskState } from '../store/model.ts';
import { openSqliteStore } from '../store/open-sqlite.ts';
import type { Store } from '../store/store.ts';
import { createEventBus, type EventBus } from './bus.ts';

let dir: string;
let store: Store;
let bus: EventBus;
let lost: { count: number; cause: unknown }[];
const stop = new AbortController();

const openBus = (over: Store = store) =>
  createEventBus({
    store: over,
    sealer: { seal: (id, text) => `${id}|${text}`, unseal: (id, sealed) => sealed.slice(id.length + 1) },
    now: () => 1234,
    onLost: (count, cause) => lost.push({ count, cause }),
  });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-bus-'));
  store = await openSqliteStore({ dir });
  lost = [];
  bus = openBus();
});
afterEach(async () => {
  await bus.close();
  await store.close();
  await rm(dir, { recursive: true });
});

async function task(id: string): Promise<string> {
  await store.tasks.insert({
    ...{ id, verb: 'v', subjectId: 's', subject: 's', state: 'queued', reason: '', actor: 'a', plan: {} },
    ...{ createdAt: 1, startedAt: null, finishedAt: null, resumeAt: null, cancelRequested: false },
    ...{ undoCause: null, idempotencyKey: null, locks: [], steps: [] },
  });
  return id;
}

async function end(id: string, state: TaskState = 'succeeded'): Promise<void> {
  await bus.flush();
  const [claimed] = (await store.tasks.claim('me', 1, 1000, 100)).filter((each) => each.id === id);
  await store.tasks.update(id, claimed?.leaseEpoch ?? 0, { state });
  bus.look(id);
}

const line = (id: string, text: string) => bus.emit(id, null, { $case: 'log', value: { level: 'info', text } });
const textOf = ({ body }: Event) => (body?.$case === 'log' ? body.value.text : '');

async function collect(id: string, after = 0, from = bus): Promise<Event[]> {
  const events: Event[] = [];
  for await (const event of from.watch(id, after, stop.signal)) events.push(event);
  return events;
}

test('in order, without gap or duplicate, whenever one begins to watch', async () => {
  const id = await task('task-a');
  const other = await task('task-b');
  const expected = Array.from({ length: 1200 }, (_, i) => `line ${i}`);
  const early = collect(id);
  let late: Promise<Event[]> | undefined;
  for (const [i, text] of expected.entries()) {
    line(id, text);
    if (i % 3 === 0) line(other, 'of another task');
    if (i % 250 === 0) await bus.flush();
    if (i === 600) late = collect(id);
  }
  await end(id);
  for (const events of [await early, (await late) ?? [], await collect(id)]) {
    expect(events.map(textOf)).toEqual(expected);
    expect(events.every((event, i) => i === 0 || event.seq > (events[i - 1]?.seq ?? 0n))).toBe(true);
  }
});

test('a watch is taken up again after the last seq that was seen', async () => {
  const id = await task('task-a');
  for (let i = 0; i < 700; i++) line(id, String(i));
  await end(id);
  const all = await collect(id);
  for (const at of [0, 1, 499, 500, 698]) {
    const again = await collect(id, Number(all[at]?.seq));
    expect(again.map(textOf)).toEqual(all.slice(at + 1).map(textOf));
  }
  expect(await collect(id, Number(all.at(-1)?.seq))).toEqual([]);
  expect(await collect(id, Number.MAX_SAFE_INTEGER)).toEqual([]);
});

test('what another master wrote is given too', async () => {
  const id = await task('task-a');
  const watched = collect(id);
  const theirs = openBus();
  theirs.emit(id, 3, { $case: 'progress', value: { fraction: 0.5, label: 'half' } });
  await theirs.close();
  await end(id);
  expect((await watched).map(({ step, body }) => [step, body?.$case])).toEqual([[3, 'progress']]);
});

test.each(['succeeded', 'failed', 'cancelled'] as const)(
  'a watch of a task that %s ends, with its last event',
  async (state) => {
    const id = await task('task-a');
    const watched = collect(id);
    line(id, 'only');
    bus.emit(id, null, { $case: 'state', value: { from: 'running', to: state, reason: '' } });
    await end(id, state);
    const events = await watched;
    expect(events.at(-1)?.body).toMatchObject({ $case: 'state', value: { to: state } });
  },
);

test('a watch ends with its task at once, not at its next look', async () => {
  const id = await task('task-a');
  line(id, 'only');
  const watched = collect(id);
  await bus.flush();
  const before = performance.now();
  await end(id);
  await watched;
  expect(performance.now() - before).toBeLessThan(500);
});

test('a watch of no task ends at once; one that is told to stop does too', async () => {
  expect(await collect('task-none')).toEqual([]);
  const id = await task('task-a');
  const end = new AbortController();
  const watching = (async () => {
    for await (const _ of bus.watch(id, 0, end.signal)) throw new Error('there is nothing');
  })();
  await new Promise((resolve) => setImmediate(resolve));
  end.abort();
  await watching;
});

test('a slow watcher is given pages, and nothing is kept for it meanwhile', async () => {
  const id = await task('task-a');
  const limits: number[] = [];
  const counted: Store = {
    ...store,
    events: {
      ...store.events,
      list: async (taskId, after, limit) => {
        const page = await store.events.list(taskId, after, limit);
        limits.push(page.length);
        return page;
      },
    },
  };
  const slow = openBus(counted).watch(id, 0, stop.signal)[Symbol.asyncIterator]();
  line(id, 'first');
  await bus.flush();
  await slow.next();
  const before = limits.length;
  for (let i = 0; i < 3000; i++) line(id, String(i));
  await bus.flush();
  // It asked for nothing, so nothing was read for it.
  expect(limits.length).toBe(before);
  await end(id);
  let count = 0;
  while (!(await slow.next()).done) count += 1;
  expect(count).toBe(3000);
  expect(Math.max(...limits)).toBeLessThanOrEqual(500);
});

test('a flood is bounded, and what is lost is told', async () => {
  const id = await task('task-a');
  const gate = Promise.withResolvers<void>();
  const stalled = openBus({
    ...store,
    events: { ...store.events, append: (events) => gate.promise.then(() => store.events.append(events)) },
  });
  for (let i = 0; i < 20_500; i++) stalled.emit(id, null, { $case: 'log', value: { level: 'info', text: '' } });
  const dropped = lost.reduce((sum, { count }) => sum + count, 0);
  expect(dropped).toBeGreaterThanOrEqual(300);
  expect(dropped).toBeLessThanOrEqual(500);
  gate.resolve();
  await stalled.close();
  await end(id);
  expect(await collect(id)).toHaveLength(20_500 - dropped);
});

test('what the store refuses is told, and later events are kept', async () => {
  const id = await task('task-a');
  const broken = new Error('disk full');
  const append = vi.spyOn(store.events, 'append').mockRejectedValueOnce(broken);
  line(id, 'gone');
  await bus.flush();
  append.mockRestore();
  expect(lost).toEqual([{ count: 1, cause: broken }]);
  line(id, 'kept');
  await end(id);
  expect((await collect(id)).map(textOf)).toEqual(['kept']);
});

test('links and secrets are sealed at rest, and texts are bounded', async () => {
  const id = await task('task-a');
  const value = 'https://example.org/once';
  bus.emit(id, 1, { $case: 'message', value: { kind: 'link', text: 'Log in', value, expiresAt: new Date(99_000) } });
  bus.emit(id, 1, { $case: 'message', value: { kind: 'warning', text: 'Look', value: '', expiresAt: undefined } });
  line(id, '🐎'.repeat(5000));
  bus.emit(id, null, { $case: 'progress', value: { fraction: 0.1, label: 'x'.repeat(1000) } });
  bus.emit(id, null, { $case: 'state', value: { from: 'a', to: 'b', reason: 'x'.repeat(10_000) } });
  await end(id);
  const stored = await store.events.list(id, 0, 10);
  expect(stored[0]?.body).toMatchObject({ message: { value: `${id}|${value}` } });
  const [link, warning, long, progress, state] = await collect(id);
  expect(progress?.body).toMatchObject({ value: { label: `${'x'.repeat(199)}…` } });
  expect(state?.body).toMatchObject({ value: { reason: `${'x'.repeat(4095)}…` } });
  expect(link).toMatchObject({ step: 1, taskId: id, time: new Date(1234) });
  expect(link?.body).toEqual({
    $case: 'message',
    value: { kind: 'link', text: 'Log in', value, expiresAt: new Date(99_000) },
  });
  expect(warning?.body).toMatchObject({ value: { kind: 'warning', value: '' } });
  const text = long === undefined ? '' : textOf(long);
  expect(text.length).toBeLessThanOrEqual(4096);
  expect(text.isWellFormed()).toBe(true);
  expect(text.endsWith('…')).toBe(true);
});

test('many watchers of one task leave nothing behind', async () => {
  const id = await task('task-a');
  const watchers = Array.from({ length: 50 }, () => collect(id));
  line(id, 'one');
  await end(id);
  for (const events of await Promise.all(watchers)) expect(events.map(textOf)).toEqual(['one']);
});
