// The suite on a real PostgreSQL, and what only several masters on one store have.
import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PrivatePostgres, startPostgres } from './conformance/private-postgres.ts';
import { task } from './conformance/samples.ts';
import { describeStore } from './conformance.ts';
import { openPostgresStore, type PostgresConnection } from './open-postgres.ts';
import type { Store } from './store.ts';

let server: PrivatePostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server?.stop());

describeStore('PostgreSQL', async () => {
  const connection = await server.emptyDatabase();
  return {
    open: (options) => openPostgresStore({ connection, connections: 6, ...options }),
    remove: async () => {}, // with the server
  };
});

describe('several masters on PostgreSQL', () => {
  let connection: PostgresConnection;
  const stores: Store[] = [];
  const open = async (): Promise<Store> => {
    const store = await openPostgresStore({ connection, connections: 4 });
    stores.push(store);
    return store;
  };
  beforeEach(async () => {
    connection = await server.emptyDatabase();
  });
  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
  });

  it('start at the same time: one migrates', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, open));
    await all[0]?.settings.insert({ id: 'a', value: '' });
    for (const store of all) expect(await store.settings.find()).toHaveLength(1);
  });

  it('never get the same task, nor two tasks of one lock', async () => {
    const masters = await Promise.all(Array.from({ length: 3 }, open));
    const first = masters[0] as Store;
    for (let n = 0; n < 60; n++) {
      await first.tasks.insert(task(`task-${n}`, { locks: n % 2 ? [`site/${n % 6}`] : [], steps: [] }));
    }
    const claims: string[] = [];
    const epochs: number[] = [];
    const order = new Map<string, number[]>();
    const busy = new Set<string>();
    const work = async (store: Store, owner: string): Promise<void> => {
      while ((await first.tasks.countOpen()) > 0) {
        const given = await store.tasks.claim(owner, 1000, 60_000, 3);
        for (const { id, leaseEpoch } of given) {
          const n = Number(id.split('-')[1]);
          const lock = n % 2 ? `site/${n % 6}` : id;
          expect(busy.has(lock), lock).toBe(false);
          busy.add(lock);
          claims.push(id);
          epochs.push(leaseEpoch);
          order.set(lock, [...(order.get(lock) ?? []), n]);
        }
        for (const { id, leaseEpoch } of given) {
          const n = Number(id.split('-')[1]);
          // Before the store frees it: the next one may be claimed within the same moment.
          busy.delete(n % 2 ? `site/${n % 6}` : id);
          await store.tasks.update(id, leaseEpoch, { state: 'succeeded' });
        }
      }
    };
    await Promise.all(masters.flatMap((store, at) => [work(store, `m${at}`), work(store, `m${at}b`)]));
    expect(claims).toHaveLength(60);
    expect(new Set(claims).size).toBe(60);
    expect(new Set(epochs).size).toBe(60);
    for (const numbers of order.values()) expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });

  it('share the rules: what one checked in a transaction, another cannot change meanwhile', async () => {
    const [one, two] = [await open(), await open()];
    const enter = (store: Store, id: string): Promise<boolean> =>
      store.transaction(async (tx) => {
        if ((await tx.clients.find()).length > 0) return false;
        await new Promise((resolve) => setImmediate(resolve));
        await tx.clients.insert({ id, name: id, mail: '' });
        return true;
      });
    const entered = await Promise.all([enter(one, 'a'), enter(two, 'b'), enter(one, 'c'), enter(two, 'd')]);
    expect(entered.filter(Boolean)).toHaveLength(1);
    expect(await two.clients.find()).toHaveLength(1);
  });

  it('a fence holds against a claim at the same moment', async () => {
    const [one, two] = [await open(), await open()];
    for (let round = 0; round < 15; round++) {
      const id = `task-${round}`;
      await one.tasks.insert(task(id, { locks: ['a'] }));
      const old = (await one.tasks.claim('m1', 1000, 1, 1))[0]?.leaseEpoch ?? 0;
      let after: unknown;
      const [write] = await Promise.allSettled([
        one.steps.update(id, 0, old, { attempts: 7 }),
        two.tasks.claim('m2', 2000, 60_000, 1).then(async ([claimed]) => {
          if (claimed) after = (await two.steps.ofTask(id))[0]?.attempts;
        }),
      ]);
      // Whoever has the task sees all that will ever be written with an older epoch.
      const end = (await two.steps.ofTask(id))[0]?.attempts;
      expect(end).toBe(write.status === 'fulfilled' ? 7 : 0);
      if (after !== undefined) expect(after).toBe(end);
      const { leaseEpoch } = (await two.tasks.get(id)) ?? { leaseEpoch: 0 };
      await two.tasks.update(id, leaseEpoch, { state: 'succeeded' });
    }
  });

  it('an older request is never overtaken on its lock by a younger one that was saved first', async () => {
    const [one, two] = [await open(), await open()];
    const saved = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const older = one.transaction(async (tx) => {
      await tx.tasks.insert(task('task-old', { locks: ['a'] }));
      saved.resolve();
      await held.promise;
    });
    await saved.promise;
    const younger = two.tasks.insert(task('task-new', { locks: ['a'] }));
    const meanwhile = await two.tasks.claim('m2', 1000, 1000, 10);
    held.resolve();
    await Promise.all([older, younger]);
    expect(meanwhile).toEqual([]);
    expect((await two.tasks.claim('m2', 1000, 1000, 10)).map(({ id }) => id)).toEqual(['task-old']);
  });

  it('a broken connection is one clear error, and the next call works', async () => {
    // Between the store and PostgreSQL stands a relay that can be cut.
    const sockets = new Set<Socket>();
    const relay = createServer((near) => {
      const far = createConnection(join(connection.host, '.s.PGSQL.5432'));
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from);
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
        from.pipe(to);
      }
    });
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    const { port } = relay.address() as { port: number };
    const lost: Error[] = [];
    const store = await openPostgresStore({
      connection: { ...connection, host: '127.0.0.1', port },
      onConnectionLost: (cause) => lost.push(cause),
    });
    stores.push(store);
    const cut = store.transaction(async (tx) => {
      await tx.settings.insert({ id: 'a', value: '' });
      for (const socket of sockets) socket.destroy();
      await tx.settings.insert({ id: 'b', value: '' });
    });
    await expect(cut).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    expect(await store.settings.find()).toEqual([]);
    await store.settings.insert({ id: 'c', value: '' });
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => lost.length).toBeGreaterThan(0);
    expect(await store.settings.find()).toHaveLength(1);
    // Nothing was begun on a connection that broke while it lay idle, so what was asked is done on another.
    for (const socket of sockets) socket.destroy();
    await store.settings.insert({ id: 'd', value: '' });
    for (const socket of sockets) socket.destroy();
    expect(await store.settings.find()).toHaveLength(2);
    await store.close();
    await new Promise((resolve) => relay.close(resolve));
  });

  it('says what is wrong with an address', async () => {
    const nobody = openPostgresStore({ connection: { host: '/nonexistent' } });
    await expect(nobody).rejects.toMatchObject({ code: 'unavailable' });
    const closed = openPostgresStore({ url: 'postgres://aegir:geheim@127.0.0.1:1/none' });
    const error = await closed.catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'unavailable' });
    expect(error.message).not.toContain('geheim');
    const none = openPostgresStore({ connection: { ...connection, database: 'none' } });
    await expect(none).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining('create it'),
    });
  });
});
