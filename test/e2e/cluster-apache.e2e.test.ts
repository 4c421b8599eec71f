// A cluster of an Apache and an nginx that share no files, and plain PHP on it, of which nobody knows what it writes: uploads,
// private files and sessions through the whole, whichever of the two takes the writes.
// @module-tag deep
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EmbeddedServer, until } from '../../deploy/up/processes.ts';
import {
  type ChangeResponse,
  ClusterServiceService,
  PlatformServiceService,
  ServiceServiceService,
  SiteServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import { freePorts } from './free-ports.ts';
import { createMachine, finish, type Machine } from './machine.ts';
import { installSite } from './site-tasks.ts';

const SITE = 'pooled.localhost';
const ADDRESSES = { front1: '127.0.1.4', web1: '127.0.1.1', web2: '127.0.1.3' } as const;
const SERVICES = { web1: 'web1/nginx', web2: 'web2/apache' } as const;
type Head = keyof typeof SERVICES;
const options = undefined;
const never = new AbortController().signal;
/** Says which head it runs on, and keeps what it is told. */
const CODE = `<?php
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$name = rawurldecode(basename($path));
$dirs = array('/upload' => AEGIR_FILES, '/keep' => AEGIR_PRIVATE);
if (isset($dirs[dirname($path)]) && $_SERVER['REQUEST_METHOD'] === 'POST') {
  file_put_contents($dirs[dirname($path)] . '/' . $name, file_get_contents('php://input'));
} elseif (dirname($path) === '/kept') {
  readfile(AEGIR_PRIVATE . '/' . $name);
  exit;
} elseif ($path === '/count') {
  session_start();
  $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;
  echo $_SESSION['n'];
  exit;
} elseif (dirname($path) === '/files') {
  http_response_code(404);
  exit;
}
echo basename(dirname(AEGIR_FILES, 4)), ' ', $_SERVER['REMOTE_ADDR'];
`;
const CRON = `<?php file_put_contents(AEGIR_FILES . '/cron.txt', basename(dirname(AEGIR_FILES, 4)) . "\\n", FILE_APPEND);`;
const head = {
  ...{ cluster: 'pool', service: SERVICES.web2, weight: 0, patienceSeconds: 0, confirm: true, options },
  ...{ abandoned: false, discard: false },
};
let machine: Machine;
let siteId = '';
const ports: Record<keyof typeof ADDRESSES, number> = { front1: 0, web1: 0, web2: 0 };

const link = () => machine.connection();
async function done(change: Promise<ChangeResponse>): Promise<void> {
  const { task } = await finish(machine, (await change).taskId);
  expect([task.verb, task.state, task.reason]).toEqual([task.verb, 'succeeded', '']);
}
async function spread() {
  const { spread } = await link().call(ClusterServiceService.getCluster, { cluster: 'pool' });
  const [site] = spread;
  if (site === undefined) throw new Error('the cluster has no site with files of its own');
  return site;
}
const writer = async () => (await spread()).writer.split('/')[0] as Head;
const own = (name: Head, ...path: string[]) => join(machine.layout.dir, name, 'host/sites', siteId, ...path);
const textOf = (name: Head, ...path: string[]) => readFileSync(own(name, ...path), 'utf8');
/** Names and content of a tree of the site on a server. */
const tree = (name: Head, of: 'files' | 'private' | 'sessions') =>
  Object.fromEntries(readdirSync(own(name, of)).map((leaf) => [leaf, textOf(name, of, leaf)]));
const sync = () => done(link().call(ClusterServiceService.syncCluster, { cluster: 'pool', site: '', options }));

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly cookie: string;
}
/** A connection of its own for each: one that was kept is answered once more by the HAProxy of before a reload. */
function ask(
  path: string,
  { at = 'front1', body, cookie = '' }: { at?: keyof typeof ADDRESSES; body?: string; cookie?: string } = {},
) {
  return new Promise<Answer>((resolve, reject) => {
    const headers = { host: `${SITE}:${ports.front1}`, ...(cookie === '' ? {} : { cookie }) };
    const method = body === undefined ? 'GET' : 'POST';
    const to = { agent: false, host: ADDRESSES[at], port: ports[at], path, method, headers };
    const asked = request(to, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => {
        const cookies = answer.headers['set-cookie']?.[0]?.split(';')[0] ?? cookie;
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString(), cookie: cookies });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}
const put = async (path: string, text: string) =>
  expect(await ask(path, { body: text })).toMatchObject({ status: 200 });

/** Visitors who leave a file each, one after the other, and look at once whether it is there. */
function startUploads(visitors: number) {
  const left: string[] = [];
  const failures: string[] = [];
  let stopping = false;
  const visit = async (visitor: number): Promise<void> => {
    for (let n = 0; !stopping; n++) {
      const name = `load ${visitor}-${n}.txt`;
      const path = encodeURIComponent(name);
      const said = await ask(`/upload/${path}`, { body: name }).catch((cause: Error) => ({
        status: 0,
        text: cause.message,
      }));
      if (said.status === 200) left.push(name);
      else failures.push(`upload ${said.status} ${said.text.slice(0, 80)}`);
      const read = await ask(`/files/${path}`).catch((cause: Error) => ({ status: 0, text: cause.message }));
      if (said.status === 200 && read.text !== name) failures.push(`read ${read.status} of ${name}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const all = Promise.all(Array.from({ length: visitors }, (_, visitor) => visit(visitor)));
  return {
    ...{ left, failures },
    stop: async () => {
      stopping = true;
      await all;
    },
  };
}

beforeAll(async () => {
  machine = await createMachine();
  await machine.start('master');
  const [haproxy = 0, haproxyTls = 0, apache2 = 0] = await freePorts(3, '127.0.0.1');
  Object.assign(ports, { front1: haproxy, web1: machine.layout.ports.web1.nginx, web2: apache2 });
  const more = { types: ['http'], daemons: ['haproxy'] } as const;
  const servers: readonly EmbeddedServer[] = [
    {
      ...more,
      name: 'front1',
      address: ADDRESSES.front1,
      types: ['dns'],
      ports: { nginx: 0, mariadb: 0, haproxy, haproxyTls },
    },
    {
      ...more,
      name: 'web2',
      address: ADDRESSES.web2,
      daemons: ['apache2', 'php-fpm'],
      ports: { nginx: 0, mariadb: 0, apache2 },
    },
  ];
  await Promise.all([machine.start('web1'), ...servers.map((server) => machine.startServer(server))]);
  await until('the servers to be there', undefined, never, async () => {
    const asked = { pageSize: 0, pageToken: '', server: '', type: '' };
    const { services } = await link().call(ServiceServiceService.listServices, asked);
    const is = (name: string, state: string) => services.some((each) => each.name === name && each.state === state);
    return (
      is('web1/nginx', 'enabled') &&
      is('web2/apache', 'enabled') &&
      services.some(({ name }) => name === 'front1/haproxy')
    );
  });
  const root = join(machine.layout.dir, 'code');
  mkdirSync(root, { mode: 0o755 });
  writeFileSync(join(root, 'index.php'), CODE, { mode: 0o644 });
  writeFileSync(join(root, 'aegir-cron.php'), CRON, { mode: 0o644 });
  await done(
    link().call(ClusterServiceService.createCluster, {
      ...{ name: 'pool', front: 'front1', heads: [SERVICES.web1], share: '' },
      ...{ checkMillis: 300, fall: 2, rise: 2, options },
    }),
  );
  await done(
    link().call(PlatformServiceService.addPlatform, {
      ...{ name: 'pooled', root, service: 'front1/cluster:pool', app: '', options },
    }),
  );
  const { taskId, subjectId } = await installSite(machine, SITE, [], 'pooled', '');
  siteId = subjectId;
  const { task } = await finish(machine, taskId);
  expect([task.state, task.reason]).toEqual(['succeeded', '']);
  await put('/keep/secret.txt', 'for nobody');
  await done(link().call(ClusterServiceService.addHead, head));
});
afterAll(() => machine?.close());

test('the Apache takes the writes while visitors upload: none of them fails, and nothing is lost', async () => {
  expect(await writer()).toBe('web1');
  const { cookie } = await ask('/count');
  const load = startUploads(3);
  await until('some uploads', undefined, never, async () => load.left.length > 10);
  await done(link().call(ClusterServiceService.moveWriter, { site: SITE, service: SERVICES.web2, options }));
  const now = load.left.length;
  await until('more uploads', undefined, never, async () => load.left.length > now + 10);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(await writer()).toBe('web2');
  for (const name of load.left) expect(textOf('web2', 'files', name)).toBe(name);
  // Who was logged in still is, and what is private went along.
  expect((await ask('/count', { cookie })).text).toBe('2');
  expect((await ask('/kept/secret.txt')).text).toBe('for nobody');
});

test('pages come from the head that takes writes, an Apache; a file that the other one has not comes from there', async () => {
  for (let n = 0; n < 4; n++) expect((await ask('/')).text).toBe('web2 127.0.0.1');
  // Who comes straight to the other head is answered by it: nobody does, but a request that is under way may.
  expect((await ask('/', { at: 'web1' })).text).toMatch(/^web1 /);
  for (const name of ['a.txt', 'with a space.txt', 'é?#%&+.txt']) {
    const path = encodeURIComponent(name);
    await put(`/upload/${path}`, `this is ${name}`);
    expect([existsSync(own('web2', 'files', name)), existsSync(own('web1', 'files', name))]).toEqual([true, false]);
    for (const at of ['web1', 'web2', 'front1', 'front1'] as const) {
      expect(await ask(`/files/${path}?x=1`, { at })).toMatchObject({ status: 200, text: `this is ${name}` });
    }
  }
  expect((await ask('/files/nowhere.txt', { at: 'web1' })).status).toBe(404);
});

test('all trees of the site are brought to the other head, with what is private and who is logged in', async () => {
  await put('/keep/more.txt', 'for nobody either');
  await ask('/count');
  await sync();
  for (const of of ['files', 'private', 'sessions'] as const) {
    expect(Object.keys(tree('web2', of)).length).toBeGreaterThan(0);
    expect(tree('web1', of)).toEqual(tree('web2', of));
  }
  expect((await ask('/private/secret.txt')).text).not.toContain('nobody');
  expect((await spread()).copies).toMatchObject([{ service: 'web1/nginx', state: 'equal' }]);
});

test('cron runs on one head alone, and what it leaves is served by both', async () => {
  await done(link().call(SiteServiceService.cronSite, { site: SITE, confirm: false, options }));
  expect(await ask('/files/cron.txt', { at: 'web1' })).toMatchObject({ status: 200, text: 'web2\n' });
});

test('the Apache is drained under uploads, comes back, and has what came meanwhile', async () => {
  const load = startUploads(3);
  await done(link().call(ClusterServiceService.drainHead, head));
  await put('/upload/while-out.txt', 'meanwhile');
  await done(link().call(ClusterServiceService.activateHead, head));
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(await writer()).toBe('web1');
  for (const name of [...load.left, 'while-out.txt']) expect(existsSync(own('web1', 'files', name))).toBe(true);
  expect(textOf('web2', 'files', 'while-out.txt')).toBe('meanwhile');
  // Its cron has gone along.
  await done(link().call(SiteServiceService.cronSite, { site: SITE, confirm: false, options }));
  expect(textOf('web1', 'files', 'cron.txt')).toBe('web2\nweb1\n');
});

test('after all of this there is nothing to mend, and the site goes with all of its files', async () => {
  const { plan } = await link().call(SiteServiceService.verifySite, {
    ...{ site: SITE, confirm: false, options: { planOnly: true, idempotencyKey: '' } },
  });
  expect(plan?.steps.flatMap(({ changes }) => changes)).toEqual([]);
  await done(link().call(SiteServiceService.deleteSite, { site: SITE, confirm: true, options }));
  for (const name of ['web1', 'web2'] as const) {
    expect(readdirSync(join(machine.layout.dir, name, 'host/sites'))).toEqual([]);
  }
});
