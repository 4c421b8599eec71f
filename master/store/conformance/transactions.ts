// All or nothing, one after the other, and no way to wait for oneself.
import { expect, it } from 'vitest';
import type { Subject } from '../conformance.ts';
import type { Tx } from '../store.ts';
import * as sample from './samples.ts';

export function transactionCases(subject: () => Subject): void {
  it('commits all', async () => {
    const { store, reopen } = subject();
    const answer = await store.transaction(async (tx) => {
      await sample.saveGround(tx);
      await tx.tasks.insert(sample.task('task-1', { locks: ['site/1'] }));
      await tx.events.append([{ taskId: 'task-1', step: null, time: 1, body: {} }]);
      expect(await tx.servers.get('srv-1')).toBeDefined();
      return 42;
    });
    expect(answer).toBe(42);
    const again = await reopen();
    expect(await again.platforms.find()).toHaveLength(1);
    expect(await again.steps.ofTask('task-1')).toHaveLength(2);
    expect(await again.events.list('task-1', 0, 10)).toHaveLength(1);
  });

  it('rolls back all, and hands the error on as it is', async () => {
    const { store } = subject();
    const thrown = Object.assign(new Error('my own'), { code: 'ECONNREFUSED', syscall: 'connect' });
    const run = store.transaction(async (tx) => {
      await sample.saveGround(tx);
      await tx.tasks.insert(sample.task('task-1'));
      throw thrown;
    });
    await expect(run).rejects.toBe(thrown);
    expect(await store.servers.find()).toEqual([]);
    expect(await store.tasks.countOpen()).toBe(0);
    expect(await store.steps.ofTask('task-1')).toEqual([]);
  });

  it('goes on after a refusal that was caught, which left nothing', async () => {
    const { store, reopen } = subject();
    await sample.saveGround(store);
    await store.sites.insert(sample.site('site-1', 'plat-1', { name: 'a.example' }));
    await store.transaction(async (tx) => {
      await tx.settings.insert({ id: 'before', value: '' });
      const second = sample.site('site-2', 'plat-1', { name: 'b.example', aliases: ['a.example'] });
      await expect(tx.sites.insert(second)).rejects.toMatchObject({ code: 'already_exists' });
      await expect(tx.settings.insert({ id: 'before', value: 'x' })).rejects.toMatchObject({ code: 'already_exists' });
      await tx.sites.insert({ ...second, aliases: [] });
    });
    const again = await reopen();
    expect(await again.settings.get('before')).toEqual({ id: 'before', value: '' });
    expect((await again.sites.find()).map(({ name }) => name)).toEqual(['a.example', 'b.example']);
  });

  it('runs calls made at the same time, and takes those that were not waited for with it', async () => {
    const { store } = subject();
    let late: Promise<void> | undefined;
    await store.transaction(async (tx) => {
      const all = Array.from({ length: 10 }, (_, n) => tx.settings.insert({ id: `s${n}`, value: '' }));
      await expect(tx.settings.insert({ id: 's0', value: '' })).rejects.toMatchObject({ code: 'already_exists' });
      await Promise.all(all);
      late = tx.settings.insert({ id: 'late', value: '' });
    });
    await late;
    expect(await store.settings.find()).toHaveLength(11);
  });

  it('does not let what was checked change before it commits', async () => {
    const { store } = subject();
    await store.settings.insert({ id: 'n', value: '0' });
    const add = () =>
      store.transaction(async (tx) => {
        const value = Number((await tx.settings.get('n'))?.value);
        await new Promise((resolve) => setImmediate(resolve));
        await tx.settings.update('n', { value: String(value + 1) });
      });
    await Promise.all(Array.from({ length: 12 }, add));
    expect((await store.settings.get('n'))?.value).toBe('12');
  });

  it('makes others wait, and does not show them what is not committed', async () => {
    const { store } = subject();
    const order: string[] = [];
    let other: Promise<unknown> = Promise.resolve();
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first = store.transaction(async (tx) => {
      await tx.settings.insert({ id: 'a', value: 'first' });
      await released;
      order.push('first');
    });
    other = store.settings.insert({ id: 'b', value: '' }).then(() => order.push('other'));
    const seen = store.settings.get('a').then((row) => order.push(row ? 'seen after' : 'not seen'));
    setImmediate(release);
    await Promise.all([first, other, seen]);
    expect(order.indexOf('first')).toBeLessThan(order.indexOf('other'));
    // SQLite makes readers wait, PostgreSQL shows them the state before.
    if (order.includes('seen after')) expect(order.indexOf('first')).toBeLessThan(order.indexOf('seen after'));
  });

  it('refuses a call to the store itself from inside, instead of waiting for ever', async () => {
    const { store } = subject();
    const own = { code: 'internal', message: expect.stringContaining('inside its own transaction') };
    await store.transaction(async (tx) => {
      await expect(store.settings.get('a')).rejects.toMatchObject(own);
      await expect(store.settings.insert({ id: 'a', value: '' })).rejects.toMatchObject(own);
      await expect(store.transaction(async () => {})).rejects.toMatchObject(own);
      await tx.settings.insert({ id: 'b', value: '' });
    });
    expect(await store.settings.find()).toHaveLength(1);
  });

  it('lets what a transaction started use the store once the transaction has ended', async () => {
    const { store } = subject();
    let later: Promise<unknown> = Promise.resolve();
    let ended = (): void => {};
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    await store.transaction(async () => {
      later = end.then(() => store.settings.insert({ id: 'a', value: '' }));
    });
    ended();
    await later;
    expect(await store.settings.find()).toHaveLength(1);
  });

  it('refuses calls of a transaction that has ended', async () => {
    const { store } = subject();
    let kept: Tx | undefined;
    await store.transaction(async (tx) => {
      kept = tx;
    });
    await expect(kept?.settings.insert({ id: 'a', value: '' })).rejects.toMatchObject({ code: 'internal' });
    expect(await store.settings.find()).toEqual([]);
  });

  it('ends one that takes too long, so that others go on', async () => {
    const { store, place, reopen } = subject();
    await store.close();
    const hasty = await place.open({ transactionMs: 1_000 }); // and time enough for what comes after it
    const never = hasty.transaction(async (tx) => {
      await tx.settings.insert({ id: 'a', value: '' });
      await new Promise(() => {});
    });
    await expect(never).rejects.toMatchObject({ code: 'deadline_exceeded' });
    await hasty.settings.insert({ id: 'b', value: '' });
    await hasty.close();
    expect((await (await reopen()).settings.find()).map(({ id }) => id)).toEqual(['b']);
  });
}
