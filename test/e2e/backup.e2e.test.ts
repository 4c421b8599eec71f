// Backups through the whole: kept on another server's store, brought back in place and as another site, tried, checked,
// kept of a site that is deleted, thrown away by policy, and made by themselves.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { LOOPBACK, until } from '../../deploy/up/processes.ts';
import {
  type ChangeResponse,
  ServiceServiceService,
  SetSiteRequest,
  SiteServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import {
  type Backup,
  BackupServiceService,
  type SetBackupPolicyRequest,
} from '../../shared/gen/aegir/v1/backup_admin.ts';
import { stateOf } from './host-state.ts';
import { addWordpress, type Finished, finish, type Machine, startMachine } from './machine.ts';
import { installSite, SITE } from './site-tasks.ts';
import { sql } from './sql.ts';

let machine: Machine;
let siteId: string;
let first: Backup;

const link = () => machine.connection();
const never = new AbortController().signal;

beforeAll(async () => {
  machine = await startMachine();
  await addWordpress(machine);
  const { task } = await finish(machine, (await installSite(machine)).taskId);
  expect(task.state, task.reason).toBe('succeeded');
  siteId = task.subjectId;
  await succeeded(link().call(ServiceServiceService.enableService, { service: 'db1/mesh', options: undefined }));
  await succeeded(link().call(ServiceServiceService.enableService, { service: 'web1/mesh', options: undefined }));
});
afterAll(() => machine?.close());

async function succeeded(change: Promise<ChangeResponse>): Promise<Finished & { readonly log: string }> {
  const finished = await finish(machine, (await change).taskId);
  const log = finished.events.flatMap(({ body }) => (body?.$case === 'log' ? [body.value.text] : [])).join('\n');
  expect(finished.task.state, `${finished.task.reason}\n${log}`).toBe('succeeded');
  return { ...finished, log };
}

/** Without what stores keep, what is open in them, and what is known of files: these end by themselves. */
const state = async () =>
  (await stateOf(machine)).filter((line) => !/^file (state|work\/(offers|restores|snapshots$))/.test(line));

const root = (id: string) => join(machine.layout.dir, 'web1/host/sites', id);

/** Every entry of the site's own trees, with what is in it. */
function treeOf(id: string): readonly string[] {
  return ['files', 'private'].flatMap((tree) =>
    readdirSync(join(root(id), tree), { withFileTypes: true, recursive: true }).map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { mode, mtimeMs, uid } = lstatSync(path);
      const content = entry.isFile()
        ? createHash('sha256').update(readFileSync(path)).digest('hex')
        : entry.isSymbolicLink()
          ? readlinkSync(path)
          : '';
      const time = entry.isFile() ? Math.trunc(mtimeMs) : 0;
      return `${path.slice(root(id).length)} ${(mode & 0o7777).toString(8)} ${uid} ${time} ${content}`;
    }),
  );
}

const database = (id: string) => `site_${id.slice('site-'.length)}`;
const posts = (id = siteId) => sql(machine, `SELECT post_title FROM ${database(id)}.wp_posts ORDER BY ID`);
const tables = (id = siteId) =>
  sql(machine, `SELECT table_name FROM information_schema.tables WHERE table_schema = '${database(id)}' ORDER BY 1`);

const home = (name = SITE, path = '/') =>
  createBrowser(LOOPBACK).get(`http://${name}:${machine.layout.ports.web1.nginx}${path}`);

const backups = async (site = '') =>
  (await link().call(BackupServiceService.listBackups, { site, service: '', pageSize: 0, pageToken: '' })).backups;

const create = (note = '', service = 'db1/mesh') =>
  link().call(BackupServiceService.createBackup, { site: SITE, service, note, keep: false, options: undefined });

const restore = (backup: string, newName = '', planOnly = false) =>
  link().call(BackupServiceService.restoreBackup, {
    ...{ backup, confirm: true, newName, platform: '', db: '', options: { planOnly, idempotencyKey: '' } },
  });

const policy = (patch: Partial<SetBackupPolicyRequest>) =>
  link().call(BackupServiceService.setBackupPolicy, {
    ...{ site: '', inherit: false, everySeconds: undefined, service: undefined, keepLast: undefined },
    ...{ keepDaily: undefined, keepWeekly: undefined, keepMonthly: undefined, keepYearly: undefined },
    ...{ drillEverySeconds: undefined, drillServer: undefined },
    ...patch,
  });

const newest = async (): Promise<Backup> => {
  const [backup] = await backups(SITE);
  if (backup === undefined) throw new Error('there is no backup');
  return backup;
};

describe('a backup', () => {
  test('is made on another server, and the next one brings only what is new', async () => {
    mkdirSync(join(root(siteId), 'files/empty'));
    for (let n = 0; n < 40; n++) writeFileSync(join(root(siteId), 'files', `a ü ${n}.bin`), Buffer.alloc(100_000, n));
    symlinkSync('a ü 1.bin', join(root(siteId), 'files/link'));
    // As if the site had left them.
    const files = join(root(siteId), 'files');
    const { uid } = lstatSync(files);
    for (const entry of readdirSync(files, { withFileTypes: true, recursive: true })) {
      const at = join(entry.parentPath, entry.name);
      lchownSync(at, uid, lstatSync(at).gid);
    }
    const before = await state();
    await succeeded(create('the first'));
    first = await newest();
    expect(first).toMatchObject({
      state: 'ready',
      service: 'db1/mesh',
      note: 'the first',
      reason: 'person',
      problem: '',
    });
    expect(first.parts).toEqual(['manifest', 'database', 'files']);
    expect(Number(first.bytes)).toBeGreaterThan(4_000_000);
    expect(Number(first.newBytes)).toBeGreaterThan(0);
    const { log } = await succeeded(create());
    const second = await newest();
    expect(second.id).not.toBe(first.id);
    expect(Number(second.newBytes), log).toBeLessThan(Number(first.newBytes) / 4);
    // No snapshot, no dump is left of it.
    expect(await state()).toEqual(before);
  });

  test('is whole, as a look at it says', async () => {
    const look = { backup: first.id, quick: false, options: undefined };
    await succeeded(link().call(BackupServiceService.verifyBackup, look));
    expect((await link().call(BackupServiceService.getBackup, { backup: first.id })).verifiedAt).toBeDefined();
  });
});

describe('a restore', () => {
  test('in place makes the site what it was, and keeps what it had become', async () => {
    const [tree, titles, all] = [treeOf(siteId), posts(), tables()];
    await succeeded(create('before'));
    const backup = await newest();
    writeFileSync(join(root(siteId), 'files/a ü 3.bin'), 'changed');
    rmSync(join(root(siteId), 'files/a ü 4.bin'));
    writeFileSync(join(root(siteId), 'files/added'), 'added');
    sql(
      machine,
      `UPDATE ${database(siteId)}.wp_posts SET post_title = 'Lost'; DROP TABLE ${database(siteId)}.wp_links; CREATE TABLE ${database(siteId)}.added (n INT)`,
    );

    const { plan } = await restore(backup.id, '', true);
    expect(plan?.warnings.join('\n')).toMatch(/maintenance page.*\n.*comes back when anything fails/);
    await succeeded(restore(backup.id));
    expect(treeOf(siteId)).toEqual(tree);
    expect([posts(), tables()]).toEqual([titles, all]);
    expect((await home()).status).toBe(200);
    const safety = await newest();
    expect(safety).toMatchObject({ reason: 'restore', state: 'ready', note: `before the restore of ${backup.id}` });
    await succeeded(restore(safety.id));
    expect(posts()).toContain('Lost');
    expect(tables()).toContain('added');
    expect(readFileSync(join(root(siteId), 'files/added'), 'utf8')).toBe('added');
    await succeeded(restore(backup.id));
  });

  test('to another name makes a site of its own, whose content says its name', { tags: ['deep'] }, async () => {
    const { task } = await succeeded(restore(first.id, 'copy.localhost'));
    const page = await home('copy.localhost');
    expect(page.status).toBe(200);
    expect(page.body).toContain('copy.localhost');
    expect(page.body).not.toContain(SITE);
    expect((await home()).status).toBe(200);
    const other = treeOf(task.subjectId).filter((line) => /\.bin \d+ /.test(line));
    expect(other).toHaveLength(40);
    const site = 'copy.localhost';
    const gone = { site, confirm: true, noBackup: true, options: undefined };
    await succeeded(link().call(SiteServiceService.deleteSite, gone));
  });
});

/** What somebody gets who knows the name of a site, as long as it may be there. */
async function attack(name: string, until: AbortSignal): Promise<ReadonlySet<number>> {
  const statuses = new Set<number>();
  while (!until.aborted) {
    const page = await home(name).catch(() => undefined);
    if (page !== undefined) statuses.add(page.status);
  }
  return statuses;
}

describe('a drill', () => {
  test('proves a backup and leaves nothing', async () => {
    const [before, tree, titles] = [await state(), treeOf(siteId), posts()];
    const asked = { backup: first.id, site: '', server: '', options: undefined };
    const begun = await link().call(BackupServiceService.drillBackup, asked);
    const scratch = /can be restored, as (drill-[0-9a-z]{16}\.aegir\.invalid)$/.exec(begun.plan?.summary ?? '')?.[1];
    const done = new AbortController();
    const [{ log }, statuses] = await Promise.all([
      succeeded(Promise.resolve(begun)).finally(() => done.abort()),
      attack(scratch ?? '', done.signal),
    ]);
    expect(log).toMatch(/as in the backup: \d+ tables, \d+ files/);
    expect(log).toMatch(/\.aegir\.invalid\S* at \S+ answered 200/);
    // It was there, and only its probe got in.
    expect(statuses).toContain(401);
    expect([...statuses].filter((status) => status < 400)).toEqual([]);
    expect(await state()).toEqual(before);
    expect([treeOf(siteId), posts()]).toEqual([tree, titles]);
    const proven = await link().call(BackupServiceService.getBackup, { backup: first.id });
    expect(proven.problem).toBe('');
    expect(Number(proven.provenMillis)).toBeGreaterThan(0);
    const { backups: told } = await link().call(SiteServiceService.getSite, { site: SITE });
    expect(told).toMatchObject({ provenId: first.id, problem: '' });
    expect(told?.provenAt).toBeDefined();
  });

  test('finds what is damaged, and leaves nothing', { tags: ['deep'] }, async () => {
    await succeeded(create('to be damaged', 'web1/mesh'));
    const backup = await newest();
    const before = await state();
    const chunks = chunksUnder(join(machine.layout.dir, 'web1'));
    expect(chunks.length).toBeGreaterThan(5);
    for (const path of chunks) writeFileSync(path, 'nothing of the kind');
    const looked = await finish(
      machine,
      (await link().call(BackupServiceService.verifyBackup, { backup: backup.id, quick: false, options: undefined }))
        .taskId,
    );
    expect(looked.task.reason).toMatch(/^cannot trust backup bak-\w+: \d+ of \d+ chunks are damaged/);
    expect(await newest()).toMatchObject({ state: 'damaged', problem: expect.stringMatching(/chunks are damaged/) });
    await expect(restore(backup.id)).rejects.toThrow(/it is damaged/);
    expect(await state()).toEqual(before);
    const gone = { backups: [backup.id], confirm: true, options: undefined };
    await succeeded(link().call(BackupServiceService.deleteBackup, gone));
    expect(chunksUnder(join(machine.layout.dir, 'web1'))).toEqual([]);
  });
});

test('an encrypted store keeps backups that only its key reads, and cannot be opened up while it has any', {
  tags: ['deep'],
}, async () => {
  const set = (encrypt: string) =>
    link().call(ServiceServiceService.setService, {
      ...{ service: 'web1/mesh', settings: { encrypt }, secrets: {}, unset: [], options: undefined },
      ...{ moved: false, leaveBackups: false },
    });
  await succeeded(set('true'));
  await succeeded(create('sealed', 'web1/mesh'));
  const backup = await newest();
  const { key } = await link().call(BackupServiceService.exportStoreKey, { service: 'web1/mesh' });
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  await expect(set('false')).rejects.toThrow(/it has 1 backup/);
  const asked = { backup: backup.id, site: '', server: '', options: undefined };
  await succeeded(link().call(BackupServiceService.drillBackup, asked));
  const gone = { backups: [backup.id], confirm: true, options: undefined };
  await succeeded(link().call(BackupServiceService.deleteBackup, gone));
  await succeeded(set('false'));
});

test('a store that is led to another place keeps its backups where a person moved them along', {
  tags: ['deep'],
}, async () => {
  const [old, fresh] = ['old', 'new'].map((name) => join(machine.layout.dir, `store-${name}`)) as [string, string];
  const declared = { server: 'web1', type: 'file', engine: 'mesh', instance: 'led', secrets: {} };
  await succeeded(
    link().call(ServiceServiceService.declareService, { ...declared, settings: { root: old }, options: undefined }),
  );
  await succeeded(create('to be moved', 'web1/mesh:led'));
  const backup = await newest();
  const set = (moved: boolean) =>
    link().call(ServiceServiceService.setService, {
      ...{ service: 'web1/mesh:led', settings: { root: fresh }, secrets: {}, unset: [], moved, leaveBackups: false },
      options: undefined,
    });
  await expect(set(false)).rejects.toThrow(
    `cannot set web1/mesh:led: backup ${backup.id} lies where it keeps them now, and would not be found any more`,
  );
  // Nobody's word is enough: nothing is made or changed where they are not.
  await expect(set(true)).rejects.toThrow(
    /cannot set web1\/mesh:led: its backups are not at the new place: .*store-new does not exist/,
  );
  expect(existsSync(fresh)).toBe(false);
  execFileSync('mkdir', ['-m', '700', fresh]);
  await expect(set(true)).rejects.toThrow(`not at the new place, or not with all that belongs to it: ${backup.id} of `);
  expect(readdirSync(fresh)).toEqual([]);
  rmSync(fresh, { recursive: true });
  // One that is not there is not called damaged, is kept by a prune, and is whole again once it is there.
  const away = `${old}-away`;
  execFileSync('mv', [join(old, 'backups'), away]);
  const looking = { backup: backup.id, quick: false, options: undefined };
  const lost = await finish(machine, (await link().call(BackupServiceService.verifyBackup, looking)).taskId);
  expect(lost.task.reason).toMatch(/^cannot find backup bak-\w+: its index is not on web1\/mesh:led; .* lead it back/);
  expect(await newest()).toMatchObject({ id: backup.id, state: 'missing' });
  await expect(restore(backup.id)).rejects.toThrow(/it was not in its store .* aegir backup verify/);
  execFileSync('mv', [away, join(old, 'backups')]);
  await succeeded(link().call(BackupServiceService.verifyBackup, looking));
  expect(await newest()).toMatchObject({ id: backup.id, state: 'ready', problem: '' });
  execFileSync('cp', ['-a', old, fresh]);
  const { task } = await succeeded(set(true));
  expect(task.reason).toBe('');
  rmSync(old, { recursive: true });
  const asked = { backup: backup.id, quick: false, options: undefined };
  expect((await succeeded(link().call(BackupServiceService.verifyBackup, asked))).log).toMatch(/what they should be/);
  const gone = { backups: [backup.id], confirm: true, options: undefined };
  await succeeded(link().call(BackupServiceService.deleteBackup, gone));
  const removed = { service: 'web1/mesh:led', confirm: true, abandoned: false, options: undefined };
  await link().call(ServiceServiceService.removeService, removed);
  rmSync(fresh, { recursive: true });
});

describe('by policy', () => {
  test('a store keeps what it shall, and what was removed takes no room', async () => {
    await policy({ keepLast: 1, service: 'db1/mesh' });
    const had = await backups(SITE);
    const all = had.map(({ id }) => id);
    // What a restore had kept counts for nothing, and stays a week.
    const last = had.find(({ reason }) => reason !== 'restore');
    // The one that was proven last stays, too.
    const proven = had.map(({ provenAt }) => provenAt?.getTime() ?? 0);
    const latest = had[proven.indexOf(Math.max(...proven))];
    const stays = (each: Backup) =>
      each === last || each.reason === 'restore' || (each === latest && proven.some(Boolean));
    const kept = had.filter(stays).map(({ id }) => id);
    expect(all.length).toBeGreaterThan(kept.length);
    const before = chunksUnder(join(machine.layout.dir, 'db1')).length;
    const asked = { service: 'db1/mesh', options: undefined };
    await succeeded(link().call(BackupServiceService.pruneStore, asked));
    expect((await backups(SITE)).map(({ id }) => id)).toEqual(kept);
    expect(chunksUnder(join(machine.layout.dir, 'db1')).length).toBeLessThan(before);
    await succeeded(restore(all[0] ?? ''));
    expect((await home()).status).toBe(200);
  });

  test('a backup is made by itself', { timeout: 300_000 }, async () => {
    const known = new Set((await backups(SITE)).map(({ id }) => id));
    // Due at once: the site has had none for longer than that, as the master's clock has it.
    for (const { id } of await backups(SITE)) {
      await succeeded(
        link().call(BackupServiceService.deleteBackup, { backups: [id], confirm: true, options: undefined }),
      );
    }
    await policy({ everySeconds: 86_400 });
    await until('a backup by itself', undefined, never, async () =>
      (await backups(SITE)).some(
        ({ id, reason, state }) => !known.has(id) && reason === 'schedule' && state === 'ready',
      ),
    );
    await policy({ everySeconds: 0 });
  });
});

test('a site that is deleted is kept in a last backup, and comes back from it with what closes it', async () => {
  const webSnippet = 'location ^~ /wp-json/ { deny all; }\n';
  await succeeded(link().call(SiteServiceService.setSite, SetSiteRequest.fromPartial({ site: SITE, webSnippet })));
  expect((await home(SITE, '/wp-json/')).status).toBe(403);
  const [tree, titles] = [treeOf(siteId).map((line) => line.split(' ').at(-1)), posts()];
  const gone = { site: SITE, confirm: true, options: undefined };
  const { task } = await succeeded(link().call(SiteServiceService.deleteSite, gone));
  expect(task.plan?.warnings[0]).toMatch(/keeps what they are/);
  const [last] = await backups(SITE);
  expect(last).toMatchObject({ reason: 'delete', state: 'ready', siteId });
  expect(existsSync(root(siteId))).toBe(false);
  const back = await succeeded(restore(last?.id ?? ''));
  expect((await home()).status).toBe(200);
  expect((await home(SITE, '/wp-json/')).status).toBe(403);
  expect(posts(back.task.subjectId)).toEqual(titles);
  expect(treeOf(back.task.subjectId).map((line) => line.split(' ').at(-1))).toEqual(tree);
});

function chunksUnder(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.cacnk'))
    .map((entry) => join(entry.parentPath, entry.name));
}
