// What an agent says of its host goes into the graph, and what it cannot see for a while stays there.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Inventory } from '../../shared/gen/aegir/v1/agent.ts';
import { facts, server } from '../../test/records.ts';
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

let warned: unknown[];
const told = async (addresses: readonly string[], peer = '192.0.2.7:4000', id = ID) => {
  warned = [];
  const log = { info() {}, warn: (about: unknown) => void warned.push(about), error() {} };
  const said = { hostname: 'web1', addresses: [...addresses], sourceAddresses: [...addresses] };
  const deps = { store, log: log as never, now: () => 2 };
  await storeInventory(deps, id, Inventory.fromPartial({ facts: said, services: [] }), peer);
  const { facts: kept } = (await store.servers.get(id)) ?? {};
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

describe('addresses of two servers', () => {
  const OTHER = 'srv-0123456789abcde2';
  const other = (addresses: readonly string[]) => told(addresses, '203.0.113.9:4000', OTHER);
  beforeEach(() => store.transaction((tx) => tx.servers.insert(server(OTHER, 'web2', '192.0.2.2'))));

  test('the first keeps one that the second says it has, in whatever form', async () => {
    await told(['192.0.2.1', '2001:db8::1']);
    const kept = ['192.0.2.2'];
    expect(await other(['192.0.2.1', '2001:DB8:0::1', '192.0.2.2'])).toEqual([kept, kept]);
    expect(warned).toMatchObject([
      { server: OTHER, name: 'web2', taken: { '192.0.2.1': 'web1', '2001:db8::1': 'web1' } },
    ]);
    expect(await told(['2001:db8::1', '192.0.2.1'])).toEqual([
      ['2001:db8::1', '192.0.2.1'],
      ['2001:db8::1', '192.0.2.1'],
    ]);
    expect(warned).toEqual([]);
  });

  test('one that says nothing else has none, so that two that change theirs get each the other one', async () => {
    expect(await other(['192.0.2.1'])).toEqual([[], []]);
    expect(await told(['192.0.2.2'])).toEqual([['192.0.2.2'], ['192.0.2.2']]);
    expect(await other(['192.0.2.1'])).toEqual([['192.0.2.1'], ['192.0.2.1']]);
  });

  test.each(['pending', 'revoked'] as const)('a server that is %s keeps none from others', async (state) => {
    await store.transaction((tx) => tx.servers.update(ID, { state }));
    expect(await other(['192.0.2.1'])).toEqual([['192.0.2.1'], ['192.0.2.1']]);
  });

  test('what a server said while it waited keeps nothing from those that were accepted meanwhile', async () => {
    await store.transaction((tx) => tx.servers.update(OTHER, { state: 'pending', facts: facts('192.0.2.1') }));
    expect(await other(['192.0.2.1'])).toEqual([[], []]);
  });

  test('several agents on one machine share the loopback', async () => {
    await told(['127.0.0.1'], '127.0.0.1:4000');
    expect(await told(['127.0.0.1'], '127.0.0.1:4001', OTHER)).toEqual([['127.0.0.1'], ['127.0.0.1']]);
  });
});
