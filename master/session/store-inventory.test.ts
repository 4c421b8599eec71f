// What an agent says of its host goes into the graph, and what it cannot see for a while stays there.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Inventory } from '../../shared/gen/aegir/v1/agent.ts';
import { server } from '../../test/records.ts';
import { openSqliteStore } from '../store/open-sqlite.ts';
import type { Store } from '../store/store.ts';
import { storeInventory } from './store-inventory.ts';

const ID = 'srv-0123456789abcde1';
let dir: string;
let store: Store;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-inventory-'));
  store = await openSqliteStore({ dir });
  await store.transaction((tx) => tx.servers.insert(server(ID, 'web1', '192.0.2.1')));
});
afterEach(async () => {
  await store.close();
  await rm(dir, { recursive: true });
});

const told = async (addresses: readonly string[], peer = '192.0.2.7:4000') => {
  const log = { info() {}, warn() {}, error() {} };
  const facts = { hostname: 'web1', addresses: [...addresses], sourceAddresses: [...addresses] };
  const deps = { store, log: log as never, now: () => 2 };
  await storeInventory(deps, ID, Inventory.fromPartial({ facts, services: [] }), peer);
  const { facts: kept } = (await store.servers.get(ID)) ?? {};
  return [kept?.addresses, kept?.sourceAddresses];
};

test('other addresses are taken in place of those before', async () => {
  expect(await told(['192.0.2.7'])).toEqual([['192.0.2.7'], ['192.0.2.7']]);
});

test('a server whose link is down keeps the addresses that lead to it', async () => {
  await told(['192.0.2.7', '2001:db8::7']);
  const both = ['192.0.2.7', '2001:db8::7'];
  expect(await told([])).toEqual([both, both]);
});

test('one that comes over the loopback keeps what leads there; another does not, whatever it said before', async () => {
  await told(['127.0.1.1'], '127.0.0.1:4000');
  expect(await told([], '127.0.0.1:4001')).toEqual([['127.0.1.1'], ['127.0.1.1']]);
  expect(await told(['127.0.0.1', '192.0.2.7'])).toEqual([['192.0.2.7'], ['192.0.2.7']]);
  await told(['127.0.1.1'], '127.0.0.1:4000');
  expect(await told([])).toEqual([[], []]);
});
