// Tasks that were asked for together and whose plans do not go together: the later one ends without a step, says why, and leaves
// nothing that was saved with it; what the earlier one does not concern goes on.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { InstallSiteAdminRequest, SetSiteRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { CreateBackupRequest } from '../../shared/gen/aegir/v1/backup_admin.ts';
import { MigrateSiteRequest } from '../../shared/gen/aegir/v1/move_admin.ts';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { startMasterRunner } from '../../test/master-runner.ts';
import { ids, platform, server, service, site } from '../../test/records.ts';
import type { StepArgs } from '../plan/plan.ts';
import type { TaskRecord } from '../store/model.ts';
import type { StepContext, StepHandler } from '../task/handler.ts';
import { createHandlers } from '../task/handlers/handlers.ts';
import type { Runner } from '../task/runner.ts';
import { createScriptCertificates } from '../task/testing/script-certificates.ts';
import { createBackup } from './backup-create.ts';
import { installSite } from './install-site.ts';
import { loadGraph } from './load.ts';
import { migrateSite } from './move.ts';
import { setSite } from './set-site.ts';
import { deleteSite, disableSite, verifySite } from './site.ts';

const CALLER = { actor: 'root', role: 'admin', clientId: '' } as const;
const WEB2 = 'srv-0123456789abcde7';
const NGINX2 = 'svc-0123456789abcde7';
const STORE = 'svc-0123456789abcde8';
const PLATFORM2 = 'plat-0123456789abcde7';

let master: MasterApi;
let runner: Runner | undefined;

beforeEach(async () => {
  master = await openMasterApi();
  await master.store.transaction(async (tx) => {
    await tx.servers.insert(server(WEB2, 'web2', '192.0.2.31'));
    await tx.services.insert(service(NGINX2, WEB2, 'http', 'nginx', 80));
    await tx.services.insert(service(STORE, WEB2, 'file', 'mesh', 0));
    await tx.platforms.insert({ ...platform, id: PLATFORM2, name: 'there', serviceId: NGINX2 });
    if ((await tx.sites.get(site.id)) === undefined) await tx.sites.insert(site);
    await tx.sites.update(site.id, { state: 'enabled' });
  });
});
afterEach(async () => {
  await runner?.stop();
  runner = undefined;
  expect(master.faults).toEqual([]);
  await master.close();
});

const deps = () => ({ ...master.deps, facts: { ...master.deps.facts, meshState: () => 'running' } });
const ofSite = (confirm = false) => ({ site: site.name, confirm, options: undefined, noBackup: true, service: '' });
const asked = {
  disable: () => disableSite(deps(), CALLER, ofSite()),
  verify: () => verifySite(deps(), CALLER, ofSite()),
  delete: () => deleteSite(deps(), CALLER, ofSite(true)),
  memory: (bytes: bigint) =>
    setSite(deps(), CALLER, SetSiteRequest.fromPartial({ site: site.name, phpMemoryBytes: bytes })),
  move: () =>
    migrateSite(
      deps(),
      CALLER,
      MigrateSiteRequest.fromPartial({ site: site.name, server: 'web2', backup: 'web2/mesh' }),
    ),
  backup: () => createBackup(deps(), CALLER, CreateBackupRequest.fromPartial({ site: site.name, service: STORE })),
};

/** Runs all that was asked for, oldest first, as far as it ends. */
async function ends(...taskIds: readonly string[]): Promise<readonly TaskRecord[]> {
  runner = startMasterRunner(master, 'basis');
  const read = async () => {
    const tasks = await Promise.all(taskIds.map((id) => master.store.tasks.get(id)));
    return tasks.flatMap((task) => (task?.finishedAt == null ? [] : [task]));
  };
  await expect.poll(async () => (await read()).length, { timeout: 10_000 }).toBe(taskIds.length);
  return read();
}

async function untouched(taskId: string): Promise<void> {
  const steps = await master.store.steps.ofTask(taskId);
  expect(steps.every(({ attempts, state }) => attempts === 0 && state === 'pending')).toBe(true);
}

test('what shows a site that was taken off the web meanwhile does not show it', async () => {
  const [disable, memory, verify] = [await asked.disable(), await asked.memory(268_435_456n), await asked.verify()];
  const [first, ...later] = await ends(disable.taskId, memory.taskId, verify.taskId);
  expect(first?.state).toBe('succeeded');
  for (const task of later) {
    expect(task).toMatchObject({
      state: 'failed',
      reason: 'example.org is disabled now, unlike when this was asked: nothing was done',
    });
    await untouched(task.id);
  }
  expect(await master.store.sites.get(site.id)).toMatchObject({ state: 'disabled', web: { php: { memoryBytes: 0 } } });
});

test('of two changes of settings the later one does not take the earlier one back', async () => {
  const [one, two] = [await asked.memory(268_435_456n), await asked.memory(536_870_912n)];
  const [first, second] = await ends(one.taskId, two.taskId);
  expect([first?.state, second?.state]).toEqual(['succeeded', 'failed']);
  expect(second?.reason).toMatch(/^example\.org has other settings now, /);
  expect((await master.store.sites.get(site.id))?.web.php.memoryBytes).toBe(268_435_456);
});

test('what does not concern each other goes on', async () => {
  const all = [await asked.memory(268_435_456n), await asked.verify(), await asked.verify()];
  const tasks = await ends(...all.map(({ taskId }) => taskId));
  expect(tasks.map(({ state }) => state)).toEqual(['succeeded', 'succeeded', 'succeeded']);
});

test('a move that was asked for twice happens once, and neither it nor a delete touches where the site is then', async () => {
  const tasks = [await asked.move(), await asked.move(), await asked.delete()];
  const [first = '', ...later] = tasks.map(({ taskId }) => taskId);
  expect((await master.store.backups.find()).map(({ state }) => state)).toEqual(['making', 'making']);
  // As the first one left it.
  await master.store.sites.update(site.id, {
    platformId: PLATFORM2,
    bindings: { ...site.bindings, http: NGINX2 },
  });
  await master.store.tasks.requestCancel(first);
  const ended = await ends(first, ...later);
  expect(ended.map(({ state }) => state)).toEqual(['cancelled', 'failed', 'failed']);
  for (const task of ended.slice(1)) {
    expect(task.reason).toMatch(/^example\.org is at another place now, or on its way to one, unlike/);
  }
  for (const id of [first, ...later]) await untouched(id);
  // Saved with the tasks.
  expect(await master.store.backups.find()).toEqual([]);
  expect((await master.store.sites.get(site.id))?.bindings.http).toBe(NGINX2);
});

test('what is cancelled before it began leaves nothing that was saved with it', async () => {
  const before = await Promise.all([master.store.sites.find(), master.store.secrets.find()]);
  const request = { name: 'new.example.org', platform: 'there', db: 'db1/mariadb', adminMail: 'a@example.org' };
  const install = await installSite(deps(), CALLER, InstallSiteAdminRequest.fromPartial(request));
  const backup = await asked.backup();
  expect((await master.store.sites.find()).length).toBe(before[0].length + 1);
  for (const { taskId } of [install, backup]) await master.store.tasks.requestCancel(taskId);
  const ended = await ends(install.taskId, backup.taskId);
  expect(ended.map(({ state }) => state)).toEqual(['cancelled', 'cancelled']);
  expect(await Promise.all([master.store.sites.find(), master.store.secrets.find()])).toEqual(before);
  expect(await master.store.backups.find()).toEqual([]);
});

test('no undo removes a site where it lives, whatever its plan says was there before', async () => {
  const handlers = createHandlers({
    ...{ store: master.store, agents: master.agents, unseal: (_: string, sealed: string) => sealed, now: Date.now },
    ...{ certificates: createScriptCertificates(), graph: () => loadGraph(master.store), knock: async () => 'open' },
  });
  const { id: siteId, bindings } = site;
  const home = { siteId, before: 'absent' } as const;
  const undo = {
    'http.publish': { ...home, serviceId: bindings.http, state: 'enabled' },
    'db.create': { ...home, serviceId: bindings.db ?? '' },
    'site.prepare': { ...home, serverId: ids.web1, keepShared: false },
  } as const;
  const asked: string[] = [];
  master.agents.before = (order) => void asked.push(order.request.$case);
  for (const [kind, args] of Object.entries(undo)) {
    const handler = handlers[kind as keyof typeof undo] as unknown as StepHandler<'http.publish'>;
    if (typeof handler.undo !== 'function') throw new Error(`${kind} is not undone`);
    const done = handler.undo(args as StepArgs['http.publish'], {} as StepContext);
    await expect(done, kind).rejects.toThrow(/cannot take example\.org off (web1|db1) again: it lives there/);
  }
  expect(asked).toEqual([]);
});
