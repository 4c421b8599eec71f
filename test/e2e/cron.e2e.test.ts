// Cron and figures of a site through the whole: by order and by itself, when it fails, while the site is disabled, and when
// the agent is killed in a run.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { LOOPBACK } from '../../deploy/up/processes.ts';
import { ServerServiceService, type SetSiteRequest, SiteServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { addPlatform, type Finished, finish, type Machine, startMachine } from './machine.ts';
import { installSite } from './site-tasks.ts';

const NAME = 'cron.localhost';
/** Does what a file beside it says, and notes that it began, and which process it is. */
const SCRIPT = `<?php
file_put_contents(AEGIR_PRIVATE . '/began', getmypid() . "\\n", FILE_APPEND);
echo "a line of its own\\n";
$do = trim(@file_get_contents(AEGIR_PRIVATE . '/do'));
if ($do === 'fail') throw new Exception('out of order: ' . AEGIR_DB_PASSWORD);
if ($do === 'hang') {
  // A process that gets away from its parent and its group.
  exec('setsid sleep 300 >/dev/null 2>&1 &');
  file_put_contents(AEGIR_PRIVATE . '/hangs', '');
  sleep(300);
}
`;
let machine: Machine;
let site = '';

beforeAll(async () => {
  machine = await startMachine();
  const root = join(machine.layout.dir, 'code');
  mkdirSync(root, { mode: 0o755 });
  writeFileSync(join(root, 'index.php'), '<?php echo AEGIR_SITE_ID;', { mode: 0o644 });
  writeFileSync(join(root, 'aegir-cron.php'), SCRIPT, { mode: 0o644 });
  await addPlatform(machine, 'code', root);
  const { task } = await finish(machine, (await installSite(machine, NAME, [], 'code')).taskId);
  expect(task.state, task.reason).toBe('succeeded');
  site = task.subjectId;
});

afterAll(() => machine?.close());

const own = (...path: string[]) => join(machine.layout.dir, 'web1/host/sites', site, ...path);
const began = () => {
  try {
    return readFileSync(own('private/began'), 'utf8').trim().split('\n').length;
  } catch {
    return 0;
  }
};
const say = (what: string) => writeFileSync(own('private/do'), what, { mode: 0o644 });
const show = () => machine.connection().call(SiteServiceService.getSite, { site: NAME });
const cron = async () => (await show()).cron;
const request = { site: NAME, confirm: false, options: undefined };
const order = async (verb: 'cronSite' | 'disableSite' | 'enableSite' | 'verifySite'): Promise<Finished> =>
  finish(machine, (await machine.connection().call(SiteServiceService[verb], request)).taskId);
const set = async (part: Partial<SetSiteRequest>) => {
  const open = { authUsers: [], removeAuthUsers: [], openToAll: false, options: undefined };
  const none = { site: NAME, addAliases: [], removeAliases: [], certificatePem: '', keyPem: '', ...open };
  const { taskId } = await machine.connection().call(SiteServiceService.setSite, { ...none, ...part });
  const { task } = await finish(machine, taskId);
  expect(task.state, task.reason).toBe('succeeded');
};
const logOf = ({ events }: Finished) =>
  events.map(({ body }) => (body?.$case === 'log' || body?.$case === 'message' ? body.value.text : '')).join('\n');
const soon = <T>(check: () => Promise<T>) => vi.waitFor(check, { timeout: 10_000, interval: 100 });

/** Processes of runs of this machine. */
function runsLeft(): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      const environment = /^[0-9]+$/.test(pid) ? readFileSync(`/proc/${pid}/environ`, 'utf8') : '';
      return environment.includes('AEGIR_CRON_RUN=') && environment.includes(`HOME=${own('private')}`);
    } catch {
      return false; // gone meanwhile
    }
  });
}

test('is on from the start, and runs by order with its output in the log', async () => {
  await soon(async () => {
    expect(await cron()).toMatchObject({ intervalSeconds: 3600, byDefault: true, server: 'web1', lastOutcome: '' });
  });
  const next = (await cron())?.nextAt?.getTime() ?? 0;
  expect(next).toBeGreaterThan(Date.now() - 5000);
  expect(next).toBeLessThan(Date.now() + 3_605_000);
  const done = await order('cronSite');
  expect(done.task.state, done.task.reason).toBe('succeeded');
  expect(logOf(done)).toMatch(/^a line of its own$/m);
  expect(began()).toBe(1);
  await soon(async () => expect(await cron()).toMatchObject({ lastOutcome: 'ok', failures: 0 }));
  // The web does not see it.
  const page = await createBrowser(LOOPBACK).get(`http://${NAME}:${machine.layout.ports.web1.nginx}/aegir-cron.php`);
  expect(page.status).toBe(404);
  expect(began()).toBe(1);
});

test('another interval, within bounds', async () => {
  await expect(set({ cronSeconds: 5 })).rejects.toThrow(/cannot run the cron of cron\.localhost every 5 s: 60 s/);
  await set({ cronSeconds: 7200 });
  await soon(async () =>
    expect(await cron()).toMatchObject({ intervalSeconds: 7200, byDefault: false, server: 'web1' }),
  );
});

test('a failure is told: to who ordered it, to who looks, and to who verifies; without secrets', async () => {
  say('fail');
  const password = /AEGIR_DB_PASSWORD', '([^']+)'/.exec(readFileSync(own('config/settings.php'), 'utf8'))?.[1] ?? '';
  expect(password.length).toBeGreaterThan(10);
  const failed = await order('cronSite');
  expect([failed.task.state, failed.task.reason]).toEqual([
    'failed',
    expect.stringContaining('out of order: [secret]'),
  ]);
  await soon(async () => {
    const { lastOutcome, lastText, failures } = (await cron()) ?? { failures: 0 };
    expect([lastOutcome, lastText]).toEqual(['failed', expect.stringContaining('out of order: [secret]')]);
    expect(failures).toBeGreaterThan(0);
  });
  const verified = await order('verifySite');
  expect(verified.task.state).toBe('succeeded');
  expect(logOf(verified)).toMatch(/the cron of cron\.localhost failed.*out of order: \[secret\].*aegir site cron/);
  expect(logOf(failed) + logOf(verified) + JSON.stringify((await cron())?.lastText)).not.toContain(password);
  say('');
});

test('a killed agent leaves nothing that runs, and the order is carried out again', async () => {
  say('hang');
  const before = began();
  const { taskId } = await machine.connection().call(SiteServiceService.cronSite, request);
  await soon(async () => expect(readdirSync(own('private'))).toContain('hangs'));
  const runs = began();
  expect(runs).toBeGreaterThan(before);
  expect(runsLeft().length).toBeGreaterThan(1);
  process.kill(machine.process('web1').pid, 'SIGKILL');
  await machine.process('web1').ended;
  // What got away from the agent is still there.
  expect(runsLeft().length).toBeGreaterThan(0);
  say('');
  rmSync(own('private/hangs'));
  await machine.start('web1');
  const { task } = await finish(machine, taskId);
  expect(task.state, task.reason).toBe('succeeded');
  expect(runsLeft()).toEqual([]);
  expect(began()).toBeGreaterThanOrEqual(runs + 1);
});

test('a disabled site has none, and has it again when it is enabled', async () => {
  expect((await order('disableSite')).task.state).toBe('succeeded');
  await soon(async () => expect(await cron()).toMatchObject({ intervalSeconds: 7200, server: '', nextAt: undefined }));
  await expect(order('cronSite')).rejects.toThrow(/cannot run the cron of cron\.localhost: it is disabled/);
  expect((await order('enableSite')).task.state).toBe('succeeded');
  await soon(async () => expect(await cron()).toMatchObject({ server: 'web1', nextAt: expect.any(Date) }));
});

test('what it used is what its log says, and what its database and files take is known', async () => {
  const browser = createBrowser(LOOPBACK);
  for (let n = 0; n < 20; n++) await browser.get(`http://${NAME}:${machine.layout.ports.web1.nginx}/`);
  for (const server of ['web1', 'db1']) await machine.connection().call(ServerServiceService.detectServer, { server });
  const lines = readFileSync(join(machine.layout.dir, 'web1/host/logs', site, 'access.log'), 'utf8')
    .trim()
    .split('\n');
  expect(lines.length).toBeGreaterThan(20);
  const sent = lines.reduce((sum, line) => sum + BigInt(/" \d{3} (\d+) /.exec(line)?.[1] ?? 0), 0n);
  await soon(async () => {
    const { usage } = await show();
    expect(usage).toMatchObject({ requests: BigInt(lines.length), bytesSent: sent, days: 30 });
    expect(usage?.fileBytes).toBeGreaterThan(0n);
    expect(usage?.inodes).toBeGreaterThan(5n);
    expect(usage?.databaseBytes).toBeDefined();
  });
  const one = await machine.connection().call(SiteServiceService.getUsage, { site: NAME, days: 1 });
  expect(one.days.map(({ requests }) => requests)).toEqual([BigInt(lines.length)]);
  const all = await machine.connection().call(SiteServiceService.getUsage, { site: '', days: 0 });
  expect(all.sites).toMatchObject([{ site: NAME, requests: BigInt(lines.length), databaseBytes: expect.any(BigInt) }]);
});

test('runs by itself, every minute; a deleted site leaves nothing of it', async () => {
  const before = began();
  await set({ cronSeconds: 60 });
  await vi.waitFor(() => expect(began()).toBeGreaterThan(before), { timeout: 75_000, interval: 200 });
  await soon(async () => expect(await cron()).toMatchObject({ lastOutcome: 'ok', lastText: 'aegir-cron.php ran' }));
  const gone = await machine.connection().call(SiteServiceService.deleteSite, { ...request, confirm: true });
  expect((await finish(machine, gone.taskId)).task.state).toBe('succeeded');
  const all = await machine.connection().call(SiteServiceService.getUsage, { site: '', days: 400 });
  expect(all.sites).toEqual([]);
  expect(runsLeft()).toEqual([]);
});
