// What is said of a move of many sites before any of them moves: who would stay and why, where databases go, how much travels.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids, platform, server, service, site } from '../../test/records.ts';
import { scratchName } from '../graph/scratch.ts';
import { newBackup } from './backup-new.ts';
import type { Caller } from './deps.ts';
import { loadGraph } from './load.ts';
import { migrateMany } from './move-batch.ts';

const ADMIN: Caller = { actor: 'anne', role: 'admin' };
const web2 = server('srv-0123456789abcdm1', 'web2', '192.0.2.21');
const nginx2 = service('svc-0123456789abcdm1', web2.id, 'http', 'nginx', 80);
const mariadb2 = service('svc-0123456789abcdm2', web2.id, 'db', 'mariadb', 3306);
const beside = service('svc-0123456789abcdm3', ids.web1, 'db', 'mariadb', 3306);
const REQUEST = {
  ...{ fromPlatform: '', fromServer: 'web1', toPlatform: '', toServer: 'web2', db: '', atOnce: 0, stopAfter: 0 },
  ...{ maxHoldMillis: 0, pastHold: '', quietSeconds: 0, rounds: 0, skipLead: false, backup: '', noBackup: false },
  ...{ noFollow: false, noDnsWait: false, planOnly: true },
};
let master: MasterApi;

beforeAll(async () => {
  master = await openMasterApi();
  const { store } = master;
  const [nginx] = await store.services.find({ id: ids.nginx });
  await store.servers.insert(web2);
  await store.services.insert({ ...nginx2, detected: nginx?.detected ?? nginx2.detected });
  await store.services.insert(beside);
  await store.platforms.insert({
    ...{ ...platform, id: 'plat-0123456789abcdm1', name: 'there', serviceId: nginx2.id },
  });
});
afterAll(() => master.close());

async function planned() {
  const { sites } = await migrateMany(master.deps, ADMIN, REQUEST);
  const own = sites.find(({ siteId }) => siteId === site.id);
  return { state: own?.state, why: own?.why, plan: own?.plan.join('\n') ?? '' };
}

test('a site whose database has no place there stays whole, and says so before anything moves', async () => {
  const { store } = master;
  await store.sites.update(site.id, { bindings: { ...site.bindings, db: beside.id } });
  const why = expect.stringMatching(/^cannot move the database of .* to web2: no mariadb is enabled there; enable one/);
  expect(await planned()).toEqual({ state: 'skipped', why, plan: '' });
  await expect(migrateMany(master.deps, ADMIN, { ...REQUEST, planOnly: false })).rejects.toThrow(
    /: no site can; cannot move the database of .* to web2: no mariadb is enabled there/,
  );
  expect(await store.batches.find()).toEqual([]);

  await store.services.insert(mariadb2);
  expect((await planned()).plan).toMatch(/ to web2\/nginx, onto platform there, its database to web2\/mariadb$/m);
});

test('a database elsewhere stays there, though the new server has one of its kind', async () => {
  await master.store.sites.update(site.id, { bindings: { ...site.bindings, db: ids.mariadb } });
  expect((await planned()).plan).toMatch(/ to web2\/nginx, onto platform there, its database stays on db1\/mariadb$/m);
});

test('the scratch site of a drill that is under way is none of them', async () => {
  const { store } = master;
  const id = 'site-0123456789abcdm9';
  const drill = { ...site, id, name: scratchName(id), aliases: [], database: 's_m9', state: 'installing' as const };
  await store.sites.insert({ ...drill, uid: 480_777 });
  const byPlatform = { ...REQUEST, fromServer: '', fromPlatform: platform.name, toPlatform: 'there', toServer: '' };
  for (const request of [REQUEST, byPlatform]) {
    const { sites } = await migrateMany(master.deps, ADMIN, request);
    expect(sites.map(({ siteId }) => siteId)).toEqual([site.id]);
  }
  // A site of somebody who chose such a name is.
  await store.sites.update(id, { name: 'drill-0.aegir.invalid' });
  expect((await migrateMany(master.deps, ADMIN, REQUEST)).sites).toHaveLength(2);
  await store.sites.delete(id);
});

test('sizes are what was found last, by measuring or by a backup, with the time of it', async () => {
  expect((await planned()).plan).toMatch(/^Files not measured yet, database not measured yet; /m);
  const at = (ago: number) => Date.now() - ago * 86_400_000;
  const day = (ago: number) => new Date(at(ago)).toISOString().slice(0, 10);
  const minute = (ago: number) => new Date(at(ago)).toISOString().slice(0, 16).replace('T', ' ');
  const counts = { requests: 0, bytes: 0, s1: 0, s2: 0, s3: 0, s4: 0, s5: 0, inodes: null, logBytes: null };
  const row = (ago: number, fileBytes: number | null, databaseBytes: number | null) => ({
    ...{ siteId: site.id, serverId: ids.web1, day: day(ago), ...counts, fileBytes, databaseBytes, measuredAt: at(ago) },
  });
  await master.store.usage.save([row(4, 9_000_000, 7_000_000), row(3, null, 2_097_152), row(2, 1_048_576, null)]);
  expect((await planned()).plan).toContain(
    `Files about 1.0 MiB, database about 2.0 MiB, as of ${minute(3)} UTC; that, about 1.0 MiB, and what came since goes`,
  );

  const store = service('svc-0123456789abcdm8', ids.db1, 'file', 'mesh', 0);
  await master.store.services.insert(store);
  const made = { id: 'bak-0123456789abcdm1', store, reason: 'person' as const, taskId: '', takenAt: at(1) };
  const part = (name: 'files' | 'database', bytes: number) => ({
    ...{ part: name, digest: '', firstChunk: 0, chunks: 1, bytes, entries: 1 },
  });
  const parts = [part('database', 3_145_728), part('files', 54_000_000)];
  const backup = newBackup(await loadGraph(master.store), site, made);
  await master.store.backups.insert({ ...backup, parts });
  expect((await planned()).plan).toContain('Files about 1.0 MiB');
  await master.store.backups.update(made.id, { state: 'ready' });
  expect((await planned()).plan).toContain(
    `Files about 51.5 MiB, database about 3.0 MiB, as of ${minute(1)} UTC; that, about 51.5 MiB, and`,
  );
  // Measured after it.
  await master.store.usage.save([row(0, 2_097_152, null)]);
  expect((await planned()).plan).toContain(`Files about 2.0 MiB, database about 3.0 MiB, as of ${minute(1)} UTC`);
});
