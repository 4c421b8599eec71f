// A key on the mesh is one server's for ever, and all that a server had leave for are found.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createUser } from '../../shared/nkeys.ts';
import { server } from '../../test/records.ts';
import { openSqliteStore } from '../store/open-sqlite.ts';
import type { Store } from '../store/store.ts';
import { holdUserKey, MOST_KEYS, userKeysOf } from './user-keys.ts';

const [VICTIM, EVIL, PENDING] = ['srv-0123456789abcdea', 'srv-0123456789abcdeb', 'srv-0123456789abcdec'] as const;
let dir: string;
let store: Store;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-keys-'));
  store = await openSqliteStore({ dir });
  for (const id of [VICTIM, EVIL]) await store.servers.insert(server(id, id, '192.0.2.1'));
  await store.servers.insert(server(PENDING, PENDING, '192.0.2.2', { state: 'pending' }));
});
afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true });
});

const newKey = () => createUser().getPublicKey();

test('all that a server had leave for are found, whatever it named last, and by a master that starts again', async () => {
  const [one, two] = [newKey(), newKey()];
  await holdUserKey(store, EVIL, one);
  await holdUserKey(store, EVIL, two);
  await holdUserKey(store, EVIL, one);
  await store.close();
  store = await openSqliteStore({ dir });
  expect(new Set(await userKeysOf(store, EVIL))).toEqual(new Set([one, two]));
  expect(await userKeysOf(store, VICTIM)).toEqual([]);
});

test("another's key is refused, also when both ask at once, and after it was revoked", async () => {
  const key = newKey();
  await holdUserKey(store, VICTIM, key);
  const stolen = expect.objectContaining({
    code: 'failed_precondition',
    message: expect.stringMatching(/another server has or had that key; .*mesh-\*\.seed/),
  });
  await expect(holdUserKey(store, EVIL, key)).rejects.toEqual(stolen);
  await store.servers.update(VICTIM, { state: 'revoked' });
  await expect(holdUserKey(store, EVIL, key)).rejects.toEqual(stolen);
  expect(await userKeysOf(store, EVIL)).toEqual([]);

  await store.servers.update(VICTIM, { state: 'accepted' });
  const race = newKey();
  const ends = await Promise.allSettled([VICTIM, EVIL].map((id) => holdUserKey(store, id, race)));
  expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test.each([PENDING, 'srv-0123456789abcded'])('who is not accepted (%s) holds none', async (id) => {
  await expect(holdUserKey(store, id, newKey())).rejects.toMatchObject({ code: 'permission_denied' });
  expect(await userKeysOf(store, id)).toEqual([]);
});

test('who names ever more keys is stopped, and keeps those it has', async () => {
  const keys = Array.from({ length: MOST_KEYS }, newKey);
  for (const key of keys) await holdUserKey(store, EVIL, key);
  await expect(holdUserKey(store, EVIL, newKey())).rejects.toMatchObject({ code: 'failed_precondition' });
  await holdUserKey(store, EVIL, keys[0] ?? '');
  expect(new Set(await userKeysOf(store, EVIL))).toEqual(new Set(keys));
  await holdUserKey(store, VICTIM, newKey());
});
