// After a restore a site is as large as its backup, until something newer is known; and one that was deleted and brought back
// has the backups that it had. A site of its name that was made anew has not.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids, service, site } from '../../test/records.ts';
import type { BackupPart, BackupReason, BackupRecord } from '../store/model-backup.ts';
import { listBackups } from './backup.ts';
import { newBackup } from './backup-new.ts';
import { restoreBackup } from './backup-restore.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { loadGraph } from './load.ts';
import { getSite, listSites } from './site.ts';
import { sizesOf } from './site-sizes.ts';

const CALLER: Caller = { actor: 'anne', role: 'admin' };
const DAY_MS = 86_400_000;
const KB = 1024;
const store = service('svc-0123456789abcdz1', ids.db1, 'file', 'mesh', 0);
let master: MasterApi;
let deps: AdminDeps;
let clock: number;

beforeAll(async () => {
  master = await openMasterApi();
  deps = {
    ...master.deps,
    facts: { ...master.deps.facts, meshState: () => 'running' },
    now: () => clock,
  };
  await master.store.services.insert(store);
});
beforeEach(async () => {
  clock = Date.now() - 2 * DAY_MS;
  for (const { id } of await master.store.sites.find()) await master.store.sites.delete(id);
  for (const { id } of await master.store.backups.find()) await master.store.backups.delete(id);
  await master.store.sites.insert(site);
});
afterAll(() => master.close());

function parts(files: number, database: number): readonly BackupPart[] {
  const common = { digest: '', firstChunk: 0, chunks: 1 };
  return [
    { ...common, part: 'files', bytes: files, entries: 30 },
    { ...common, part: 'database', bytes: database, entries: 12 },
  ];
}

async function backup(files: number, database: number, reason: BackupReason = 'person'): Promise<BackupRecord> {
  const graph = await loadGraph(master.store);
  const made = { id: deps.newId('bak'), store, reason, taskId: '', takenAt: clock };
  const record: BackupRecord = { ...newBackup(graph, site, made), state: 'ready', parts: parts(files, database) };
  await master.store.backups.insert(record);
  return record;
}

/** As asked for, and done a minute later. */
async function restored({ id }: BackupRecord, ends: 'succeeded' | 'failed' = 'succeeded'): Promise<void> {
  const options = { planOnly: false, idempotencyKey: '' };
  const { taskId } = await restoreBackup(deps, CALLER, {
    ...{ backup: id, confirm: true, newName: '', platform: '', db: '', options },
  });
  const [safety] = await master.store.backups.find({ state: 'making' });
  if (safety !== undefined) await master.store.backups.update(safety.id, { state: 'ready', parts: parts(KB, KB) });
  clock += 60_000;
  const task = (await master.store.tasks.claim('me', clock, 1000, 10)).find((each) => each.id === taskId);
  await master.store.tasks.update(taskId, task?.leaseEpoch ?? 0, { state: ends, finishedAt: clock });
}

test('a site that was emptied and restored is as large as what it was restored from', async () => {
  const good = await backup(300 * KB, 200 * KB);
  clock += 60_000;
  await restored(good);
  expect(await sizesOf(deps, site.name)).toEqual({ fileBytes: 300 * KB, databaseBytes: 200 * KB, knownAt: clock });
  const { usage } = await getSite(deps, CALLER, { site: site.name });
  expect(usage).toMatchObject({ fileBytes: BigInt(300 * KB), inodes: 30n, databaseBytes: BigInt(200 * KB) });

  clock += 60_000;
  await backup(310 * KB, 210 * KB);
  expect(await sizesOf(deps, site.name)).toEqual({ fileBytes: 310 * KB, databaseBytes: 210 * KB, knownAt: clock });

  const [day, counts] = [new Date(clock).toISOString().slice(0, 10), { s1: 0, s2: 0, s3: 0, s4: 0, s5: 0 }];
  const measured = { fileBytes: 7, inodes: 2, logBytes: 0, databaseBytes: 8, measuredAt: clock + 1 };
  await master.store.usage.save([
    { siteId: site.id, serverId: ids.web1, day, requests: 0, bytes: 0, ...counts, ...measured },
  ]);
  expect(await sizesOf(deps, site.name)).toEqual({ fileBytes: 7, databaseBytes: 8, knownAt: clock + 1 });
  expect((await getSite(deps, CALLER, { site: site.name })).usage).toMatchObject({ fileBytes: 7n, inodes: 2n });
  await restored(good);
  expect((await getSite(deps, CALLER, { site: site.name })).usage?.fileBytes).toBe(BigInt(300 * KB));
});

test('a restore that failed, and was undone, changes nothing of what is known', async () => {
  const good = await backup(300 * KB, 200 * KB);
  clock += DAY_MS;
  await restored(good, 'failed');
  expect((await sizesOf(deps, site.name)).fileBytes).toBe(KB);
});

test('a site that was deleted and is brought back has its backups, and when one was proven', async () => {
  const good = await backup(300 * KB, 200 * KB);
  const last = await backup(KB, KB, 'delete');
  await master.store.backups.update(good.id, { provenAt: clock, provenMillis: 9 });
  await master.store.sites.delete(site.id);
  await restored(good);
  const {
    sites: [brought],
  } = await listSites(deps, CALLER, { client: '', platform: '', pageSize: 0, pageToken: '' });
  expect(brought?.id).not.toBe(site.id);
  expect(brought?.backups).toMatchObject({ count: 2, provenId: good.id, provenAt: new Date(good.takenAt) });
  const { backups } = await listBackups(deps, { site: site.name, service: '', pageSize: 0, pageToken: '' });
  expect(backups.map(({ id }) => id).sort()).toEqual([good.id, last.id].sort());
});

test('a site that was made anew under the name of one that is gone has none', async () => {
  await backup(KB, KB);
  await master.store.sites.delete(site.id);
  await master.store.sites.insert({ ...site, id: 'site-0123456789abcde9' });
  expect((await getSite(deps, CALLER, { site: site.name })).backups).toBeUndefined();
});
