// What is made of a backup is seen by nobody who could not see the site, and keeps what an administrator put in the way.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids, platform, service, site } from '../../test/records.ts';
import type { Plan } from '../plan/plan.ts';
import type { SiteRecord, SiteSnippet } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import type { StepContext } from '../task/handler.ts';
import { createSiteProbe } from '../task/handlers/site-host.ts';
import { createSiteForget } from '../task/handlers/site-record.ts';
import type { HandlerDeps } from '../task/parts.ts';
import { drillBackup } from './backup-drill.ts';
import { newBackup } from './backup-new.ts';
import { restoreBackup } from './backup-restore.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { loadGraph } from './load.ts';
import { deleteSite } from './site.ts';

const OPERATOR: Caller = { actor: 'olga', role: 'operator' };
const options = { planOnly: false, idempotencyKey: '' };
const store = service('svc-0123456789abcdz1', ids.db1, 'file', 'mesh', 0);
const other = service('svc-0123456789abcdz2', ids.web1, 'file', 'mesh', 0);
const apache = service('svc-0123456789abcdz3', ids.web1, 'http', 'apache', 8080);
const snippet: SiteSnippet = { engine: 'nginx', text: 'location ^~ /wp-json/ { deny all; }\n' };

let master: MasterApi;
let deps: AdminDeps;
let hashed: string[];

beforeAll(async () => {
  master = await openMasterApi();
  const { facts, hashPassword } = master.deps;
  deps = {
    ...master.deps,
    facts: { ...facts, meshState: () => 'running' },
    hashPassword: (password) => {
      hashed.push(password);
      return hashPassword(password);
    },
  };
  for (const each of [store, other, apache]) await master.store.services.insert(each);
  await master.store.platforms.insert({
    ...platform,
    id: 'plat-0123456789abcdz1',
    name: 'httpd',
    serviceId: apache.id,
  });
});
beforeEach(() => {
  hashed = [];
});
afterEach(async () => {
  for (const { id } of await master.store.sites.find()) await master.store.sites.delete(id);
  for (const { id } of await master.store.backups.find()) await master.store.backups.delete(id);
  await master.store.sites.insert(site);
});
afterAll(() => master.close());

/** Of the site as it is then; gone: the site is deleted after it. */
async function backupOf(patch: Partial<SiteRecord>, gone = false): Promise<BackupRecord> {
  await master.store.sites.update(site.id, patch);
  const graph = await loadGraph(master.store);
  const made = { id: deps.newId('bak'), store, reason: 'person' as const, taskId: 'task-0', takenAt: deps.now() };
  const backup: BackupRecord = { ...newBackup(graph, graph.site(site.id), made), state: 'ready' };
  await master.store.backups.insert(backup);
  if (gone) await master.store.sites.delete(site.id);
  return backup;
}

async function restored({ id }: BackupRecord, newName = '', on = '') {
  const asked = { backup: id, confirm: true, newName, platform: on, db: '', options };
  const { plan } = await restoreBackup(deps, OPERATOR, asked);
  const made = (await master.store.sites.find()).find((each) => each.id !== site.id);
  const publish = JSON.stringify((await newestPlan(made?.id ?? '')).steps.find(({ kind }) => kind === 'http.publish'));
  return { site: made, publish, kinds: plan?.steps.map(({ kind }) => kind), told: plan?.warnings.join('\n') };
}

async function newestPlan(subjectId: string): Promise<Plan> {
  const [task] = await master.store.tasks.list({ subjectId, limit: 1 });
  if (task === undefined) throw new Error('there is no task');
  return task.plan as unknown as Plan;
}

const CONTEXT: StepContext = {
  ...{ taskId: 'task-1', step: 0, attempt: 1, generation: 1, actor: 'olga', signal: new AbortController().signal },
  ...{
    urgent: false,
    startedAt: 0,
    result: null,
    results: new Map(),
    now: Date.now,
    emit: () => {},
    afterDurable: () => {},
  },
};

const handlerDeps = (): HandlerDeps => ({
  ...{ store: master.store, agents: master.agents, unseal: deps.unseal, now: deps.now },
  ...{ certificates: {} as HandlerDeps['certificates'], graph: () => loadGraph(master.store) },
  knock: async () => 'open' as const,
});

test('the scratch site of a drill is for its probe alone, by a password that is told to nobody', async () => {
  const backup = await backupOf({ state: 'disabled' });
  const shown = await drillBackup(deps, OPERATOR, { backup: backup.id, site: '', server: '', options });
  const [scratch] = (await master.store.sites.find()).filter(({ name }) => name.startsWith('drill-'));
  const [user] = scratch?.auth?.users ?? [];
  const open = async (id = '') => (await master.store.secrets.get(id))?.sealed ?? '';
  const password = await open(scratch?.auth?.probe);
  expect(password.length).toBeGreaterThan(20);
  expect(hashed).toEqual([password]);
  expect(await open(user?.secret)).toMatch(/^\$6\$/);
  const [task] = await master.store.tasks.list({ subjectId: site.id, limit: 1 });
  for (const word of [password, scratch?.auth?.probe, user?.secret]) {
    expect(JSON.stringify([shown.plan, task])).not.toContain(word);
  }

  // What the agent is told of it.
  const sent: unknown[] = [];
  master.agents.before = ({ request }) => void sent.push(request.value);
  const of = { serviceId: ids.nginx, siteId: scratch?.id ?? '' };
  await createSiteProbe(handlerDeps()).do(of, CONTEXT);
  expect(sent).toMatchObject([{ asksPassword: false, user: 'drill', password }]);

  await createSiteForget(handlerDeps()).do({ siteId: of.siteId }, CONTEXT);
  expect([await open(scratch?.auth?.probe), await open(user?.secret)]).toEqual(['', '']);
});

test('a plan of a drill hashes nothing', async () => {
  const backup = await backupOf({});
  const planned = { ...options, planOnly: true };
  await drillBackup(deps, OPERATOR, { backup: backup.id, site: '', server: '', options: planned });
  expect(hashed).toEqual([]);
});

test.each([
  ['of a site that is gone', true, ''],
  ['to another name', false, 'copy.example.org'],
])("a restore %s keeps an administrator's lines", async (_, gone, name) => {
  const { site: made, publish, told } = await restored(await backupOf({ snippet }, gone), name);
  expect(made?.snippet).toEqual(snippet);
  expect(publish).toContain('"enabled"');
  expect(told).not.toContain('hidden');
});

test('a backup from before an administrator added lines is no way around them', async () => {
  const backup = await backupOf({ snippet: null });
  await master.store.sites.update(site.id, { snippet });
  expect((await restored(backup, 'copy.example.org')).site?.snippet).toEqual(snippet);
});

test.each([
  ['of another web server', snippet, 'httpd'],
  ['that are not allowed any more', { engine: 'nginx', text: 'root /etc;\n' }, ''],
])('lines %s hide the site, and are told to nobody', async (_, lines, on) => {
  const { site: made, publish, kinds, told } = await restored(await backupOf({ snippet: lines }, true), '', on);
  expect(made?.snippet).toBeNull();
  expect(publish).toContain('"disabled"');
  expect(kinds).not.toContain('site.probe');
  expect(told).toMatch(
    /it is restored hidden, without them. Then an administrator: aegir site set example.org --web-sni/,
  );
  expect(told).not.toContain(lines.text.trim());
});

test('a site that was disabled is restored so, and one whose backup does not say it is served', async () => {
  const off = await backupOf({ state: 'disabled' }, true);
  const shut = await restored(off);
  expect(shut.publish).toContain('"disabled"');
  expect(shut.told).toContain('The site was disabled: it is restored so. Then: aegir site enable example.org');
  await master.store.sites.delete(shut.site?.id ?? '');
  const { state: _, snippet: __, ...old } = off.site;
  await master.store.backups.update(off.id, { site: old });
  expect((await restored(off)).publish).toContain('"enabled"');
});

test('a last backup goes to the file service that a person names', async () => {
  const of = { site: site.id, confirm: true, options: { ...options, planOnly: true } };
  await expect(deleteSite(deps, OPERATOR, of)).rejects.toThrow(/there are several; name one of .* by --service/);
  const { plan } = await deleteSite(deps, OPERATOR, { ...of, service: 'web1/mesh' });
  expect(plan?.steps.find(({ kind }) => kind === 'backup.store')?.summary).toContain('web1/mesh');
  await expect(deleteSite(deps, OPERATOR, { ...of, service: 'web1/mesh', noBackup: true })).rejects.toThrow(/only one/);
});
