// From empty, from an older schema with what is in it, never from a newer one.
import { expect, it } from 'vitest';
import type { Subject } from '../conformance.ts';
import { siteNumbers } from '../migrations/0012-site-numbers.ts';
import { noMeshKey } from '../migrations/0013-no-mesh-key.ts';
import { knownSince } from '../migrations/0014-known-since.ts';
import { type Migration, migrations } from '../migrations/migrations.ts';
import { HIGHEST_UID } from '../site-table.ts';
import * as sample from './samples.ts';

const next: Migration = {
  version: migrations.length + 1,
  name: 'tomorrow',
  up: ({ text }) => [`create table tomorrow (id ${text} primary key)`, `update settings set value = value || '!'`],
};
const broken: Migration = {
  version: migrations.length + 1,
  name: 'broken',
  up: () => [`update settings set value = 'lost'`, 'create nonsense'],
};

export function migrationCases(subject: () => Subject): void {
  it('numbers them 1, 2, 3, …', () => {
    expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, at) => at + 1));
  });

  it('migrates what is there, once', async () => {
    const { store, place, reopen } = subject();
    await store.settings.insert({ id: 'a', value: 'kept' });
    await store.close();
    for (let time = 0; time < 2; time++) {
      const newer = await place.open({ migrations: [...migrations, next] });
      expect((await newer.settings.get('a'))?.value).toBe('kept!');
      await newer.close();
    }
    await expect(reopen()).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringMatching(
        new RegExp(`version ${next.version} \\(tomorrow\\).*only up to version ${migrations.length};`),
      ),
    });
  });

  it('takes the numbers of as many sites as clusters may have had for given', async () => {
    const { store, place } = subject();
    await sample.saveGround(store);
    const verbs = ['site.install', 'site.delete', 'backup.drill', 'site.clone'] as const;
    for (const verb of verbs) await store.tasks.insert(sample.task(`task-${verb}`, { verb, idempotencyKey: null }));
    await store.close();
    const later = (more: number): readonly Migration[] =>
      Array.from({ length: more }, (_, n) => ({ ...siteNumbers, version: migrations.length + 1 + n }));
    const without = await place.open({ migrations: [...migrations, ...later(1)] });
    expect(await without.settings.get(HIGHEST_UID)).toBeUndefined();
    await without.services.insert(sample.service('svc-2', 'srv-1', { engine: 'cluster', instance: 'one' }));
    await without.close();
    const withCluster = await place.open({ migrations: [...migrations, ...later(2)] });
    expect((await withCluster.settings.get(HIGHEST_UID))?.value).toBe('480002');
    await withCluster.close();
  });

  it('forgets which key on the mesh a server named, and keeps the server', async () => {
    const { store, place } = subject();
    await store.servers.insert(sample.server('srv-1'));
    await store.close();
    const [first, gone, second] = [1, 2, 3].map((more) => migrations.length + more) as [number, number, number];
    const asBefore = (version: number): Migration => ({
      ...{ version, name: 'as-before' },
      // Refused while there is such a column.
      up: ({ text }) => [`alter table servers add column mesh_key ${text}`, `update servers set mesh_key = 'UKEY'`],
    });
    const through = [asBefore(first), { ...noMeshKey, version: gone }, asBefore(second)];
    const now = await place.open({ migrations: [...migrations, ...through] });
    expect(await now.servers.get('srv-1')).toEqual(sample.server('srv-1'));
    await now.servers.insert(sample.server('srv-2', { name: 'other' }));
    await now.close();
  });

  it('knows of each site which backup of it was proven last', async () => {
    const { store, place } = subject();
    await sample.saveGround(store);
    for (const id of ['site-1', 'site-2']) await store.sites.insert(sample.site(id, 'plat-1'));
    const proven = (id: string, provenAt: number | null) =>
      store.backups.insert(sample.backup(id, { siteId: 'site-1', provenAt, provenMillis: 7 }));
    await proven('bak-1', 50);
    await proven('bak-2', sample.BIG);
    await proven('bak-3', null);
    await store.close();
    const before: Migration = {
      ...{ version: migrations.length + 1, name: 'as-before' },
      up: () => ['alter table sites drop column proven', 'alter table usage_days drop column measured_at'],
    };
    const now = await place.open({
      migrations: [...migrations, before, { ...knownSince, version: migrations.length + 2 }],
    });
    expect((await now.sites.get('site-1'))?.proven).toEqual({ at: sample.BIG, backupId: 'bak-2', millis: 7 });
    expect((await now.sites.get('site-2'))?.proven).toBeNull();
    await now.close();
  });

  it('leaves all as it was when one fails', async () => {
    const { store, place, reopen } = subject();
    await store.settings.insert({ id: 'a', value: 'kept' });
    await store.close();
    await expect(place.open({ migrations: [...migrations, broken] })).rejects.toThrow('cannot open the store');
    expect((await (await reopen()).settings.get('a'))?.value).toBe('kept');
  });
}
