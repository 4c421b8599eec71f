// What policies have done by itself: once each, few at once, in turns, and not where a server is away.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids, service, site } from '../../test/records.ts';
import type { SiteRecord, TaskState } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import { createBackup } from './backup-create.ts';
import { setBackupPolicy } from './backup-policy.ts';
import { type BackupRounds, startBackupRounds } from './backup-rounds.ts';
import { declareService, removeService, setService } from './declare-service.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { deleteSite, getSite } from './site.ts';
import { exportStoreKey } from './store-key.ts';

const ADMIN: Caller = { actor: 'anne', role: 'admin' };
const UNSAID = { moved: false, leaveBackups: false, options: undefined };
const HOUR = 3_600_000;
const store = service('svc-0123456789abcdz1', ids.db1, 'file', 'mesh', 0);
let master: MasterApi;
let deps: AdminDeps;
let rounds: BackupRounds;
let clock = 0;
let away = new Set<string>();
const warned: string[] = [];

beforeAll(async () => {
  master = await openMasterApi();
  const { facts, agents } = master.deps;
  deps = {
    ...master.deps,
    now: () => Date.now() + clock,
    facts: { ...facts, meshState: () => 'running' },
    agents: { ...agents, isConnected: (id) => !away.has(id) },
  };
  rounds = startBackupRounds(deps, { error() {}, warn: (_, text) => void warned.push(text) });
  await master.store.services.insert(store);
});
afterAll(async () => {
  await rounds.close();
  await master.close();
});
beforeEach(async () => {
  for (const { id } of await master.store.backups.find()) await master.store.backups.delete(id);
  for (const { id } of await master.store.backupPolicies.find()) await master.store.backupPolicies.delete(id);
  for (const state of ['queued', 'running'] as const) {
    for (const { id } of await master.store.tasks.list({ state, limit: 100 })) await endTask(id, 'succeeded');
  }
  away = new Set();
  warned.length = 0;
  clock += 48 * HOUR;
});

async function endTask(id: string, state: TaskState): Promise<void> {
  const epoch = (await master.store.tasks.get(id))?.leaseEpoch ?? 0;
  await master.store.tasks.update(id, epoch, {
    state,
    finishedAt: deps.now(),
    reason: state === 'failed' ? 'cannot' : '',
  });
}

async function newestTask(subjectId: string) {
  const [task] = await master.store.tasks.list({ subjectId, limit: 1 });
  if (task === undefined) throw new Error('there is no task');
  return task;
}

/** What the task would have done. */
async function made(patch: Partial<BackupRecord> = {}): Promise<void> {
  const [backup] = await master.store.backups.find({ state: 'making' });
  if (backup === undefined) throw new Error('nothing is being made');
  await endTask(backup.taskId, 'succeeded');
  await master.store.backups.update(backup.id, { state: 'ready', takenAt: deps.now(), ...patch });
}

const policy = (patch: object) =>
  setBackupPolicy(deps, {
    ...{ site: '', inherit: false, everySeconds: undefined, service: undefined, keepLast: undefined },
    ...{ keepDaily: undefined, keepWeekly: undefined, keepMonthly: undefined, keepYearly: undefined },
    ...{ drillEverySeconds: undefined, drillServer: undefined },
    ...patch,
  });

describe('a look', () => {
  test('does nothing by a policy of none', async () => {
    expect(await rounds.look()).toEqual([]);
  });

  test('begins a backup that is due, once, and the next one in its turn', async () => {
    await policy({ everySeconds: 3600 });
    expect(await rounds.look()).toEqual([`backup ${site.name}`]);
    expect(await newestTask(site.id)).toMatchObject({ verb: 'site.backup', actor: 'schedule' });
    clock += 3 * HOUR;
    expect(await rounds.look()).toEqual([]);
    await made();
    expect(await rounds.look()).toEqual([]);
    clock += 1.2 * HOUR;
    expect(await rounds.look()).toEqual([`backup ${site.name}`]);
  });

  test('counts what is where the policy wants it, and nothing else', async () => {
    const other = service('svc-0123456789abcdz3', ids.web1, 'file', 'mesh', 0);
    await master.store.services.insert(other);
    try {
      await policy({ everySeconds: 3600, service: 'db1/mesh' });
      expect(await rounds.look()).toEqual([`backup ${site.name}`]);
      await made();
      clock += 0.9 * HOUR;
      expect(await rounds.look()).toEqual([]);
      const options = { planOnly: false, idempotencyKey: 'by-hand' };
      await createBackup(deps, ADMIN, { site: site.id, service: other.id, note: '', keep: false, options });
      await made();
      clock += 0.3 * HOUR;
      expect(await rounds.look()).toEqual([`backup ${site.name}`]);
    } finally {
      for (const { id } of await master.store.backups.find()) await master.store.backups.delete(id);
      await master.store.services.delete(other.id);
    }
  });

  test('makes no pile for a server that is away, and tells that a turn was missed', async () => {
    await policy({ everySeconds: 3600 });
    away.add(ids.db1);
    for (let n = 0; n < 5; n++) expect(await rounds.look()).toEqual([]);
    expect(warned).toEqual([]);
    const shown = await getSite(deps, ADMIN, { site: site.id });
    expect(shown.backups?.problem).toMatch(/^no backup was made since 1970/);
    away.clear();
    expect(await rounds.look()).toEqual([`backup ${site.name}`]);
    expect(await rounds.look()).toEqual([]);
  });

  test('tries what failed more and more rarely, and shows why', async () => {
    await policy({ everySeconds: 3600 });
    await rounds.look();
    const fail = async () => {
      await endTask((await newestTask(site.id)).id, 'failed');
      // As its undoing does when nothing came to the store.
      for (const { id } of await master.store.backups.find()) await master.store.backups.delete(id);
    };
    await fail();
    expect(await rounds.look()).toEqual([]);
    expect((await getSite(deps, ADMIN, { site: site.id })).backups?.problem).toBe('the last backup failed: cannot');
    clock += 0.3 * HOUR;
    expect(await rounds.look()).toEqual([`backup ${site.name}`]);
    await fail();
    clock += 0.3 * HOUR;
    expect(await rounds.look()).toEqual([]);
    clock += 0.3 * HOUR;
    expect(await rounds.look()).toEqual([`backup ${site.name}`]);
  });

  test('begins few at once, those first who wait longest', async () => {
    await policy({ everySeconds: 3600 });
    const more = Array.from(
      { length: 6 },
      (_, n): SiteRecord => ({
        ...{ ...site, id: `site-0123456789abcdz${n}`, name: `s${n}.example.org`, aliases: [], createdAt: 100 - n },
        ...{ database: `site_z${n}`, dbUser: `s_z${n}` },
      }),
    );
    for (const each of more) await master.store.sites.insert(each);
    expect(await rounds.look()).toEqual(
      [site.name, ...[5, 4, 3].map((n) => `s${n}.example.org`)].map((name) => `backup ${name}`),
    );
    expect(await rounds.look()).toEqual([]);
    for (const each of more) await master.store.sites.delete(each.id);
  });

  test('says once why a policy cannot be followed', async () => {
    await policy({ everySeconds: 3600 });
    await master.store.services.update(store.id, { state: 'disabled' });
    expect([await rounds.look(), await rounds.look()]).toEqual([[], []]);
    expect(warned).toEqual([`cannot begin what is due: backup ${site.name}`]);
    await master.store.services.update(store.id, { state: 'enabled' });
  });

  test('drills the newest backup in its turn, and prunes what is not kept', async () => {
    await policy({ everySeconds: 3600 });
    await rounds.look();
    await made({ parts: [] });
    await policy({ everySeconds: 0, drillEverySeconds: 86_400 });
    expect(await rounds.look()).toEqual([`drill ${site.name}`]);
    const drill = await newestTask(site.id);
    expect(drill).toMatchObject({ verb: 'backup.drill' });
    await endTask(drill.id, 'succeeded');
    const [scratch] = (await master.store.sites.find()).filter(({ name }) => name.startsWith('drill-'));
    expect(scratch?.name).toMatch(/^drill-[0-9a-z]{16}\.aegir\.invalid$/);
    await master.store.sites.delete(scratch?.id ?? '');
    const [first] = await master.store.backups.find();
    await master.store.backups.update(first?.id ?? '', { triedAt: deps.now() });
    expect(await rounds.look()).toEqual([]);

    const old = { ...(first as BackupRecord), id: 'bak-0000000000000000', takenAt: 1 };
    await master.store.backups.insert(old);
    expect(await rounds.look()).toEqual([]);
    await policy({ keepLast: 1, drillEverySeconds: 0 });
    expect(await rounds.look()).toEqual(['prune db1/mesh']);
    const prune = await newestTask(store.id);
    expect(JSON.stringify(prune.plan)).toContain(old.id);
    expect(JSON.stringify(prune.plan)).not.toContain(first?.id);
  });

  test('is nothing that a policy asks for whose place nobody could choose: it is refused at once', async () => {
    const other = { ...store, id: 'svc-0123456789abcdz8', serverId: ids.web1 };
    await master.store.services.insert(other);
    const refused =
      /cannot choose a file service .*: there are several; name one of db1\/mesh, web1\/mesh by --service/;
    await expect(policy({ everySeconds: 3600 })).rejects.toThrow(refused);
    await expect(policy({ site: site.id, everySeconds: 3600 })).rejects.toThrow(refused);
    expect(await master.store.backupPolicies.find()).toEqual([]);
    await policy({ everySeconds: 3600, service: 'web1/mesh' });
    await expect(policy({ service: '' })).rejects.toThrow(refused);
    // What says nothing of backups, or ends them, asks for no place.
    await policy({ everySeconds: 0, service: '', keepDaily: 3 });
    await policy({ keepDaily: 4 });
    await master.store.services.delete(other.id);
  });

  test('and who makes one by hand is told that it goes like the others, unless it is kept', async () => {
    const planned = async (keep: boolean) => {
      const options = { planOnly: true, idempotencyKey: '' };
      const answer = await createBackup(deps, ADMIN, { site: site.id, service: '', note: '', keep, options });
      return answer.plan?.warnings.join() ?? '';
    };
    await policy({ everySeconds: 3600 });
    expect(await planned(false)).not.toMatch(/--keep/);
    await policy({ keepDaily: 7 });
    expect(await planned(false)).toMatch(/The policy keeps it while it is .*the last .*--keep keeps it/);
    expect(await planned(true)).not.toMatch(/--keep/);
  });

  test('takes times that a person can read in what is refused', async () => {
    await expect(policy({ everySeconds: 60 })).rejects.toThrow(
      'cannot use 1 minute between two backups: 15 minutes to 31 days are possible, or off for none',
    );
    await expect(policy({ drillEverySeconds: 3600 })).rejects.toThrow(/1 hour between two drills: 1 day to 366 days/);
  });

  test('names what a task that never began may have left, until it is pruned', async () => {
    await policy({ everySeconds: 3600 });
    await rounds.look();
    await policy({ everySeconds: 0 });
    await endTask((await newestTask(site.id)).id, 'cancelled');
    clock += 2 * HOUR;
    expect(await rounds.look()).toEqual(['prune db1/mesh']);
    expect((await master.store.backups.find())[0]).toMatchObject({ state: 'deleting' });
  });
});

describe('a last backup', () => {
  test('is made of a site that is deleted, unless a person says not, or there is no place for it', async () => {
    const kinds = async (noBackup: boolean) => {
      const options = { planOnly: true, idempotencyKey: '' };
      const { plan } = await deleteSite(deps, ADMIN, { site: site.id, confirm: true, noBackup, options });
      return [plan?.steps.some(({ kind }) => kind === 'backup.store'), plan?.warnings];
    };
    expect((await kinds(false))[0]).toBe(true);
    expect(await kinds(true)).toEqual([
      false,
      ['Files and database are removed for good.', 'No backup is made of it before.'],
    ]);
    await master.store.services.update(store.id, { state: 'disabled' });
    expect((await kinds(false))[0]).toBe(false);
    await master.store.services.update(store.id, { state: 'enabled' });
  });
});

describe('encryption', () => {
  const set = (settings: Record<string, string>, unset: string[] = []) =>
    setService(deps, ADMIN, { service: store.id, settings, secrets: {}, unset, ...UNSAID });
  /** What the task does. */
  const bring = async () => {
    const { plan } = await newestTask(store.id);
    const step = (plan['steps'] as unknown as { kind: string; args: { to: object } }[]).find(
      ({ kind }) => kind === 'service.set',
    );
    await master.store.services.update(store.id, step?.args.to ?? {});
  };

  test('has a key of its own, which is given out, and neither changes while there are backups', async () => {
    await expect(exportStoreKey(deps, { service: store.id })).rejects.toMatchObject({ code: 'failed_precondition' });
    await expect(set({ encrypt: 'yes' })).rejects.toMatchObject({ message: expect.stringMatching(/true or false/) });
    await set({ encrypt: 'true' });
    await bring();
    const { key } = await exportStoreKey(deps, { service: store.id });
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    await endTask((await newestTask(store.id)).id, 'succeeded');
    await set({ quota: '1G' });
    await bring();
    expect((await exportStoreKey(deps, { service: store.id })).key).toBe(key);
    await policy({ everySeconds: 3600 });
    await rounds.look();
    const refused = { code: 'failed_precondition', message: expect.stringMatching(/it has 1 backup/) };
    await expect(set({ encrypt: 'false' })).rejects.toMatchObject(refused);
    await expect(set({}, ['encrypt'])).rejects.toMatchObject(refused);
    await expect(set({}, ['encryption-key'])).rejects.toMatchObject(refused);
    await expect(
      setService(deps, ADMIN, {
        service: store.id,
        settings: {},
        secrets: { 'encryption-key': 'ab'.repeat(32) },
        unset: [],
        ...UNSAID,
      }),
    ).rejects.toMatchObject(refused);
  });

  test('is there from the first on where a service is declared with it', async () => {
    const answer = await declareService(deps, ADMIN, {
      ...{ server: 'web1', type: 'file', engine: 'mount', instance: 'nas', secrets: {}, options: undefined },
      settings: { path: '/srv/nas', encrypt: 'true' },
    });
    expect((await exportStoreKey(deps, { service: answer.subjectId })).key).toMatch(/^[0-9a-f]{64}$/);
    const { taskId } = answer;
    await endTask(taskId, 'succeeded');
    await master.store.backups.insert({ ...(await aBackup()), serviceId: answer.subjectId });
    await expect(
      removeService(deps, { service: answer.subjectId, confirm: true, abandoned: false }),
    ).rejects.toMatchObject({
      message: expect.stringMatching(/cannot remove web1\/mount:nas: it has 1 backup; delete them first/),
    });
  });

  test('goes with its backups where its server is gone for good, when somebody agreed, and no policy names it', async () => {
    const answer = await declareService(deps, ADMIN, {
      ...{ server: 'web1', type: 'file', engine: 'mount', instance: 'gone', secrets: {}, options: undefined },
      settings: { path: '/srv/gone', encrypt: 'true' },
    });
    await endTask(answer.taskId, 'succeeded');
    const service = answer.subjectId;
    const backup: BackupRecord = { ...(await aBackup()), serviceId: service };
    await master.store.services.update(service, { state: 'enabled' });
    await master.store.backups.insert({ ...backup, state: 'making' });
    const other: BackupRecord = { ...backup, id: 'bak-0123456789abcdz9', serviceId: store.id, state: 'ready' };
    await master.store.backups.insert(other);
    await policy({ everySeconds: 3600, service: 'web1/mount:gone' });
    const remove = (confirm = true) => removeService(deps, { service, confirm, abandoned: true });
    await expect(remove()).rejects.toThrow(/web1 answers; delete its backups/);
    away.add(ids.web1);
    await expect(remove()).rejects.toThrow(/a backup is being made there/);
    await master.store.backups.update(backup.id, { state: 'ready' });
    await expect(remove(false)).rejects.toThrow(`${backup.id} of ${backup.siteName} would be lost`);
    const named = async () => (await master.store.backupPolicies.find()).map(({ serviceId }) => serviceId);
    expect(await named()).toEqual([service]);
    expect((await remove()).name).toBe('web1/mount:gone');
    expect((await master.store.backups.find()).map(({ id }) => id)).toEqual([other.id]);
    expect(await named()).toEqual([null]);
    expect(await master.store.services.get(service)).toBeUndefined();
    await expect(removeService(deps, { service: ids.nginx, confirm: true, abandoned: true })).rejects.toThrow(
      /it is no place for backups/,
    );
  });

  async function aBackup(): Promise<BackupRecord> {
    await policy({ everySeconds: 3600 });
    await rounds.look();
    const [backup] = await master.store.backups.find();
    await master.store.backups.delete(backup?.id ?? '');
    return backup as BackupRecord;
  }
});
