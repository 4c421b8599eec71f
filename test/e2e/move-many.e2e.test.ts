// All sites of a server move by the command line: two at once, one fails and no further one begins; what was mended, the
// rest goes on by resume, and the way back is stopped in the middle.
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { LOOPBACK, until } from '../../deploy/up/processes.ts';
import { SiteServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { finish, type Machine, startMachine } from './machine.ts';
import { installSite } from './site-tasks.ts';
import { addAnswering, startWeb2, WEB2 } from './web2.ts';

const CLI = new URL('../../master/cli/main.ts', import.meta.url).pathname;
/** In the order in which they move; the new server has the first one's name already. */
const SITES = ['a.localhost', 'b.localhost', 'c.localhost', 'd.localhost'];
const _options = undefined;
let machine: Machine;
let port = 0;
let taken = '';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Batch {
  readonly id: string;
  readonly state: string;
  readonly sites: readonly { readonly name: string; readonly state: string; readonly why?: string }[];
}

/** As a person runs it. */
function aegir(...args: string[]): Promise<Ran> {
  const { layout } = machine;
  const env = {
    ...process.env,
    AEGIR_ADDRESS: `${LOOPBACK}:${layout.ports.api}`,
    AEGIR_CA: join(layout.master, 'ca.pem'),
    AEGIR_TOKEN: readFileSync(join(layout.master, 'admin.token'), 'utf8').trim(),
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], { env, maxBuffer: 10_000_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err });
    });
  });
}

const show = async (id: string): Promise<Batch> =>
  JSON.parse((await aegir('move', 'show', id, '--output', 'json')).out) as Batch;
const statesOf = ({ sites }: Batch) => sites.map(({ name, state }) => `${name} ${state}`);
const platformsOf = async () => {
  const sites = SITES.map((site) => machine.connection().call(SiteServiceService.getSite, { site }));
  return (await Promise.all(sites)).map(({ platform }) => platform);
};

beforeAll(async () => {
  machine = await startMachine();
  port = machine.layout.ports.web1.nginx;
  await startWeb2(machine, false);
  // The operator's own: it is refused soon, while the others are on their way.
  taken = join(machine.layout.dir, 'web2/host/etc/nginx/conf.d/operator.conf');
  const host = `server { listen ${WEB2}:${port}; server_name ${SITES[0]}; return 200 mine; }\n`;
  writeFileSync(taken, host, { mode: 0o644 });
  await addAnswering(machine);
  for (const site of SITES) {
    const { task } = await finish(machine, (await installSite(machine, site, [], 'code')).taskId);
    expect([site, task.state, task.reason]).toEqual([site, 'succeeded', '']);
  }
});
afterAll(() => machine?.close());

test('the plan of all names each site, and changes nothing', async () => {
  const { code, out } = await aegir('server', 'evacuate', 'web1', '--to', 'web2', '--plan');
  expect(code).toBe(0);
  for (const site of SITES) expect(out).toMatch(new RegExp(`^${site}\\n {2}Move ${site} to web2/nginx`, 'm'));
  expect(await platformsOf()).toEqual(SITES.map(() => 'code'));
  expect((await aegir('move', 'list')).out).not.toContain('batch-');
});

let evacuation = '';

test('one fails: no further one begins, and the report says which and why', async () => {
  const asked = ['server', 'evacuate', 'web1', '--to', 'web2', '--at-once', '2', '--stop-after', '1', '--quiet', '1s'];
  const { code, out, err } = await aegir(...asked);
  expect(code).toBe(1);
  expect(err).toMatch(/a\.localhost failed: cannot serve a\.localhost: .*another virtual host/);
  evacuation = /aegir move resume (batch-\w+)/.exec(err)?.[1] ?? '';
  expect(out).toContain(`${evacuation}: `);
  const batch = await show(evacuation);
  expect(batch.state).toBe('failed');
  // Two began at once; of those that wait none did after the failure.
  expect(statesOf(batch).slice(0, 2)).toEqual(['a.localhost failed', 'b.localhost moved']);
  expect(batch.sites.filter(({ state }) => state === 'waiting').length).toBeGreaterThan(0);
  expect((await createBrowser('127.0.1.1').get(`http://a.localhost:${port}/`)).body).toBe('served by web1');
  expect((await createBrowser(WEB2).get(`http://b.localhost:${port}/`)).body).toBe('served by web2');
});

test('what was mended, the rest goes on', async () => {
  rmSync(taken);
  const { code, out, err } = await aegir('move', 'resume', evacuation);
  expect([code, err.includes('cannot')]).toEqual([0, false]);
  for (const site of SITES) expect(out).toMatch(new RegExp(`${site} +moved`));
  expect((await show(evacuation)).state).toBe('done');
  expect(await platformsOf()).toEqual(SITES.map(() => 'code2'));
  expect((await aegir('move', 'list')).out).toMatch(new RegExp(`${evacuation} +done .* 4 of 4 +0 `));
  const again = await aegir('server', 'evacuate', 'web1', '--to', 'web2');
  expect([again.code, again.err]).toEqual([1, expect.stringMatching(/there are no sites/)]);
});

test('all sites of a platform move back; stopped, those at work go on and no other begins', {
  tags: ['deep'],
}, async () => {
  const asked = ['platform', 'migrate', 'code2', '--to', 'code', '--at-once', '1', '--quiet', '1s', '--no-wait'];
  const id = /batch-\w+/.exec((await aegir(...asked)).out)?.[0] ?? '';
  expect((await aegir('move', 'stop', id)).code).toBe(0);
  await until('those at work to have moved', undefined, new AbortController().signal, async () =>
    (await show(id)).sites.every(({ state }) => state !== 'moving'),
  );
  const stopped = await show(id);
  expect(stopped.state).toBe('stopped');
  expect(statesOf(stopped)).toEqual(SITES.map((site, index) => `${site} ${index === 0 ? 'moved' : 'waiting'}`));
  const { code, out } = await aegir('move', 'resume', id);
  expect([code, out]).toEqual([0, expect.stringMatching(/d\.localhost +moved/)]);
  expect(await platformsOf()).toEqual(SITES.map(() => 'code'));
});

test('a move that is asked for twice while the site is busy happens once, and what was decided before it harms nothing', {
  tags: ['deep'],
}, async () => {
  const { pid } = machine.process('web1');
  const [site = ''] = SITES;
  const move = ['site', 'migrate', site, '--server', 'web2', '--quiet', '1s', '--no-backup'];
  const asked: string[] = [];
  process.kill(pid, 'SIGSTOP');
  try {
    // The first is at work, and the others wait for it.
    for (const args of [['site', 'verify', site], move, move, ['site', 'disable', site]]) {
      const { code, out } = await aegir(...args, '--no-wait', '--output', 'json');
      expect(code).toBe(0);
      asked.push((JSON.parse(out) as { readonly taskId: string }).taskId);
    }
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const ended: Ran[] = [];
  for (const id of asked) ended.push(await aegir('task', 'watch', id));
  expect(ended.map(({ code }) => code)).toEqual([0, 0, 1, 1]);
  for (const { err } of ended.slice(2)) expect(err).toContain('unlike when this was asked: nothing was done');
  expect(ended[2]?.err).toMatch(/a\.localhost is at another place now, .* aegir task retry task-/);
  expect((await createBrowser(WEB2).get(`http://${site}:${port}/`)).body).toBe('served by web2');
  expect((await aegir('site', 'verify', site)).code).toBe(0);
  expect((await platformsOf())[0]).toBe('code2');
});
