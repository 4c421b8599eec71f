// Agents that have seen more than the store has: honest ones bring a restored store on, and no liar keeps them from it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { server } from '../../test/records.ts';
import { openSqliteStore } from '../store/open-sqlite.ts';
import type { Store } from '../store/store.ts';
import { createCountOn } from './count-on.ts';

let dir: string;
let store: Store;
let clock: number;
let errors: string[];
let countOn: ReturnType<typeof createCountOn>;
const HOUR_MS = 3_600_000;
const honest = server('srv-0123456789abcde1', 'web1', '192.0.2.1');
const liar = server('srv-0123456789abcde2', 'evil', '192.0.2.2');

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-count-'));
  store = await openSqliteStore({ dir });
  [clock, errors] = [1_000_000, []];
  const log = { info() {}, warn() {}, error: (_: unknown, text: string) => errors.push(text) };
  countOn = createCountOn({ store, log: log as never, now: () => clock });
});
afterEach(async () => {
  await store.close();
  await rm(dir, { recursive: true });
});

test('what was seen is counted on from, quietly, as often as servers come back', async () => {
  for (let i = 1; i <= 4; i++) await countOn(honest, BigInt(i) * 5000n);
  expect(await store.tasks.epoch()).toBe(20_000);
  for (let i = 0; i < 100; i++) await countOn(honest, 20_000n);
  expect(errors).toEqual([]);
});

test('a lie is taken in bounds and told, in the log and the audit log', async () => {
  await countOn(liar, 2n ** 48n);
  expect(await store.tasks.epoch()).toBe(4 * 2 ** 32);
  await countOn(liar, 2n ** 63n);
  expect(await store.tasks.epoch()).toBe(4 * 2 ** 32);
  expect(errors).toEqual([expect.stringMatching(/too often.*revoke it/), expect.stringMatching(/impossible/)]);
  const log = await store.audit.list(undefined, 10);
  expect(log).toHaveLength(2);
  expect(log[0]).toMatchObject({ actor: 'server evil (srv-0123456789abcde2)', outcome: 'resource_exhausted' });
});

test('one that raises by one, over and over, breaks no leases for ever', async () => {
  for (let i = 1; i <= 1000; i++) await countOn(liar, BigInt(i));
  expect(await store.tasks.epoch()).toBe(4);
});

test('after a year of lies an honest agent is believed when the store is brought back, within the day', async () => {
  for (let i = 0; i < 365 * 4; i++) {
    await countOn(liar, 2n ** 52n);
    clock += 6 * HOUR_MS;
  }
  const seen = BigInt((await store.tasks.epoch()) + 17);
  expect(seen).toBeLessThan(2n ** 44n);
  // Brought back from a copy of shortly before: the honest one has seen what came after.
  await countOn(honest, seen);
  expect(await store.tasks.epoch()).toBe(Number(seen));
});
