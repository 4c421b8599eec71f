// What may be there once only, and that the refusal says which.
import { expect, it } from 'vitest';
import type { Subject } from '../conformance.ts';
import * as sample from './samples.ts';

const taken = (text: string) => ({ code: 'already_exists', message: expect.stringContaining(text) });

export function uniqueCases(subject: () => Subject): void {
  it('ids', async () => {
    const { store } = subject();
    await store.secrets.insert(sample.secret);
    await expect(store.secrets.insert({ ...sample.secret, sealed: 'x' })).rejects.toMatchObject(taken('sec-1'));
    expect(await store.secrets.get('sec-1')).toEqual(sample.secret);
  });

  it('server names, but not those of revoked servers', async () => {
    const { store } = subject();
    const named = { name: 'web1.example' };
    await store.servers.insert(sample.server('srv-1', named));
    await expect(store.servers.insert(sample.server('srv-2', named))).rejects.toMatchObject(taken('web1.example'));
    await store.servers.update('srv-1', { state: 'revoked' });
    await store.servers.insert(sample.server('srv-2', named));
    await expect(store.servers.update('srv-1', { state: 'accepted' })).rejects.toMatchObject(taken('its name'));
    await store.servers.insert(sample.server('srv-3', { ...named, state: 'revoked' }));
    await expect(store.servers.update('srv-3', { state: 'pending', ...named })).rejects.toMatchObject(
      taken('web1.example'),
    );
    expect((await store.servers.get('srv-3'))?.state).toBe('revoked');
  });

  it('one service of a type, engine and instance per server', async () => {
    const { store } = subject();
    await store.servers.insert(sample.server('srv-1'));
    await store.servers.insert(sample.server('srv-2'));
    await store.services.insert(sample.service('svc-1', 'srv-1'));
    await store.services.insert(sample.service('svc-2', 'srv-1', { instance: '8.2' }));
    await store.services.insert(sample.service('svc-3', 'srv-1', { engine: 'apache' }));
    await store.services.insert(sample.service('svc-4', 'srv-1', { type: '' }));
    await store.services.insert(sample.service('svc-5', 'srv-2'));
    await expect(store.services.insert(sample.service('svc-6', 'srv-1'))).rejects.toMatchObject(
      taken('type, engine and instance'),
    );
  });

  it('names of platforms and clients, hashes of tokens', async () => {
    const { store } = subject();
    await sample.saveGround(store);
    await expect(store.platforms.insert(sample.platform('plat-2', 'svc-1', { name: 'plat-1' }))).rejects.toMatchObject(
      taken('plat-1'),
    );
    await store.clients.insert({ id: 'cli-1', name: 'Žofie', mail: '' });
    await store.clients.insert({ id: 'cli-2', name: 'žofie', mail: '' });
    await expect(store.clients.insert({ id: 'cli-3', name: 'Žofie', mail: '' })).rejects.toMatchObject(taken('Žofie'));
    await expect(store.clients.update('cli-2', { name: 'Žofie' })).rejects.toMatchObject(taken('Žofie'));
    await store.tokens.insert(sample.token('tok-1', { hash: 'abc' }));
    const error = await store.tokens.insert(sample.token('tok-2', { hash: 'abc' })).catch((thrown) => thrown);
    expect(error).toMatchObject(taken('token'));
    expect(error.message).not.toContain('abc');
  });

  it('names and aliases of all sites together', async () => {
    const { store } = subject();
    await sample.saveGround(store);
    const insert = (id: string, name: string, aliases: readonly string[] = []) =>
      store.sites.insert(sample.site(id, 'plat-1', { name, aliases }));
    await insert('site-1', 'a.example', ['b.example', 'c.example']);
    await expect(insert('site-2', 'a.example')).rejects.toMatchObject(taken('a.example belongs to site site-1'));
    await expect(insert('site-2', 'b.example')).rejects.toMatchObject(taken('b.example belongs to site site-1'));
    await expect(insert('site-2', 'd.example', ['c.example'])).rejects.toMatchObject(taken('c.example'));
    await expect(insert('site-2', 'd.example', ['d.example'])).rejects.toMatchObject(taken('given twice'));
    expect(await store.sites.find()).toHaveLength(1);

    // What a refused insert took, an update dropped or a deleted site had is free again.
    await insert('site-2', 'd.example');
    await expect(store.sites.update('site-2', { aliases: ['a.example'] })).rejects.toMatchObject(taken('a.example'));
    await store.sites.update('site-1', { name: 'b.example', aliases: ['a.example'] });
    await store.sites.update('site-2', { aliases: ['c.example'] });
    expect(await store.sites.delete('site-1')).toBe(true);
    await insert('site-3', 'a.example', ['b.example']);
    await expect(store.sites.update('site-3', { name: 'c.example' })).rejects.toMatchObject(taken('site-2'));
    expect(await store.sites.get('site-3')).toMatchObject({ name: 'a.example', aliases: ['b.example'] });
  });

  it('two that ask for the same name at once: one gets it', async () => {
    const { store } = subject();
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, (_, at) => store.clients.insert({ id: `cli-${at}`, name: 'same', mail: '' })),
    );
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await store.clients.find()).toHaveLength(1);
  });

  it('idempotency keys of one actor', async () => {
    const { store } = subject();
    await store.tasks.insert(sample.task('task-1', { actor: 'a', idempotencyKey: 'k' }));
    await store.tasks.insert(sample.task('task-2', { actor: 'b', idempotencyKey: 'k' }));
    await store.tasks.insert(sample.task('task-3', { actor: 'a' }));
    await store.tasks.insert(sample.task('task-4', { actor: 'a' }));
    const repeat = sample.task('task-5', { actor: 'a', idempotencyKey: 'k', locks: ['site/1'] });
    await expect(store.tasks.insert(repeat)).rejects.toMatchObject(taken('idempotency key'));
    await expect(store.tasks.insert(sample.task('task-1'))).rejects.toMatchObject(taken('that id'));
    expect(await store.tasks.get('task-5')).toBeUndefined();
    expect(await store.steps.ofTask('task-5')).toEqual([]);
    expect((await store.tasks.byIdempotencyKey('a', 'k', 1000))?.id).toBe('task-1');
    expect(await store.tasks.byIdempotencyKey('a', 'k', 1001)).toBeUndefined();
    expect(await store.tasks.byIdempotencyKey('c', 'k', 0)).toBeUndefined();
  });
}
