// A cluster through the whole: a front with HAProxy and two web servers that share files; a real site on it, while heads
// are added, drained, killed and removed under visitors.
import { readFileSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLoad } from '../../agent/engine/http/cluster/testing-heads.ts';
import { createBrowser } from '../../deploy/up/browse.ts';
import { type EmbeddedServer, until } from '../../deploy/up/processes.ts';
import {
  type ChangeResponse,
  type Cluster,
  ClusterServiceService,
  PlatformServiceService,
  ServerServiceService,
  ServiceServiceService,
  SiteServiceService,
  type Task,
} from '../../shared/gen/aegir/v1/admin.ts';
import { freePorts } from './free-ports.ts';
import { finish, type Machine, startMachine } from './machine.ts';
import { SITE } from './site-tasks.ts';
import { sql } from './sql.ts';

const FRONT = '127.0.1.4';
const FRONT2 = '127.0.1.5';
const WEB2 = '127.0.1.3';
const never = new AbortController().signal;
let machine: Machine;
let shared = '';
let port = 0;
let siteId = '';
let web2: EmbeddedServer;

const link = () => machine.connection();
const options = undefined;

async function ended(change: Promise<ChangeResponse>): Promise<Task> {
  return (await finish(machine, (await change).taskId)).task;
}
async function done(change: Promise<ChangeResponse>): Promise<void> {
  const task = await ended(change);
  expect([task.verb, task.state, task.reason]).toEqual([task.verb, 'succeeded', '']);
}
const head = (service: string) => ({
  ...{
    cluster: 'pool',
    service,
    weight: 0,
    patienceSeconds: 0,
    abandoned: false,
    confirm: true,
    discard: false,
    options,
  },
});
const cluster = (): Promise<Cluster> => link().call(ClusterServiceService.getCluster, { cluster: 'pool' });
const headOf = async (service: string) => (await cluster()).heads.find((each) => each.service === service);
const host = (server: string, ...path: string[]) => join(machine.layout.dir, server, 'host', ...path);
/** Lines of visitors' requests in the log of the site on a head. */
const visits = (server: string) =>
  readFileSync(host(server, 'logs', siteId, 'access.log'), 'utf8')
    .split('\n')
    .filter((line) => line.includes('"GET / HTTP'));

beforeAll(async () => {
  machine = await startMachine();
  const [haproxy = 0, haproxyTls = 0, nginx = 0] = await freePorts(3, '127.0.0.1');
  port = haproxy;
  web2 = { name: 'web2', address: WEB2, daemons: ['nginx', 'php-fpm'], types: ['http'], ports: { nginx, mariadb: 0 } };
  await machine.startServer({
    ...{ name: 'front1', address: FRONT, daemons: ['haproxy'], types: ['dns'] },
    ports: { nginx: 0, mariadb: 0, haproxy, haproxyTls },
  });
  await machine.startServer(web2);
  await until('the servers to be there', undefined, never, async () => {
    const { services } = await link().call(ServiceServiceService.listServices, {
      ...{ pageSize: 0, pageToken: '', server: '', type: '' },
    });
    const enabled = services.some(({ name, state }) => name === 'web2/nginx' && state === 'enabled');
    return enabled && services.some(({ name }) => name === 'front1/haproxy');
  });
  shared = join(machine.layout.dir, 'shared');
  await mkdir(shared, { mode: 0o755 });
});
afterAll(() => machine?.close());

test('a cluster whose heads share nothing is made and deleted', { tags: ['deep'] }, async () => {
  await done(
    link().call(ClusterServiceService.createCluster, {
      ...{ name: 'bare', front: 'front1', heads: ['web1/nginx'], share: '', checkMillis: 0, fall: 0, rise: 0, options },
    }),
  );
  await done(
    link().call(PlatformServiceService.addPlatform, {
      ...{ name: 'bare', root: '/usr/share/wordpress', service: 'front1/cluster:bare', app: '', options },
    }),
  );
  await link().call(PlatformServiceService.removePlatform, { platform: 'bare', confirm: true });
  await done(link().call(ClusterServiceService.deleteCluster, { cluster: 'bare', confirm: true, options }));
});

function install(platform: string): Promise<ChangeResponse> {
  return link().call(SiteServiceService.installSite, {
    ...{ name: SITE, aliases: [], platform, db: 'db1/mariadb', dns: '', client: '', title: 'Clustered', locale: '' },
    ...{ profile: '', adminName: 'admin', adminMail: '', options },
  });
}

test('a head that does not see what the heads share is refused, with what to do', async () => {
  const create = () =>
    link().call(ClusterServiceService.createCluster, {
      ...{ name: 'pool', front: 'front1', heads: ['web1/nginx'], share: 'common', checkMillis: 500 },
      ...{ fall: 2, rise: 2, options },
    });
  await expect(create()).rejects.toThrow(/web1 does not see common.*aegir service declare web1\/mount:common/s);
  for (const server of ['web1', 'web2']) {
    await done(
      link().call(ServiceServiceService.declareService, {
        ...{ server, type: 'file', engine: 'mount', instance: 'common', secrets: {}, options },
        settings: { path: shared, share: 'common', local: 'true' },
      }),
    );
  }
  await done(create());
  const { heads, state } = await cluster();
  expect(state).toBe('enabled');
  expect(heads).toMatchObject([{ service: 'web1/nginx', state: 'active', status: { healthy: true } }]);
});

test('a site is installed on it, and its owner logs in by the front', async () => {
  await done(
    link().call(PlatformServiceService.addPlatform, {
      ...{ name: 'wordpress', root: '/usr/share/wordpress', service: 'front1/cluster:pool', app: '', options },
    }),
  );
  const { taskId, subjectId } = await install('wordpress');
  siteId = subjectId;
  const { task, events } = await finish(machine, taskId);
  expect([task.state, task.reason]).toEqual(['succeeded', '']);
  const browser = createBrowser(FRONT);
  const home = await browser.get(`http://${SITE}:${port}/`);
  expect(home).toMatchObject({ status: 200, body: expect.stringContaining('Clustered') });
  const message = events.find((event) => event.body?.$case === 'message' && event.body.value.kind === 'link');
  const url = message?.body?.$case === 'message' ? message.body.value.value : '';
  expect(url).toContain(`:${port}/`);
  expect((await browser.get(url)).url).toContain('/wp-admin/');
  // Its files lie where all heads see them, and heads know the visitor, not the front alone.
  expect(await readdir(join(shared, siteId))).toEqual(['files', 'private']);
  expect(visits('web1').length).toBeGreaterThan(0);
});

test('visitors lose nothing while a head is added, and get it only when the site is there', async () => {
  const load = startLoad(FRONT, port, `${SITE}:${port}`, 3, { path: '/', posts: 0 });
  await until('some visits', undefined, never, async () => load.done > 10);
  await done(link().call(ClusterServiceService.addHead, head('web2/nginx')));
  const before = visits('web2').length;
  await until('visits at the new head', undefined, never, async () => visits('web2').length > before + 10);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(sql(machine, "SELECT host FROM mysql.user WHERE user LIKE 's\\_%'").flat().sort()).toEqual([
    '127.0.0.1',
    '127.0.1.1',
    WEB2,
  ]);
});

test('and while one is drained, activated again, and drained for good', async () => {
  const load = startLoad(FRONT, port, `${SITE}:${port}`, 3, { path: '/', posts: 0 });
  await done(link().call(ClusterServiceService.drainHead, head('web1/nginx')));
  expect(await headOf('web1/nginx')).toMatchObject({ state: 'out', status: { requests: 0n } });
  const quiet = visits('web1').length;
  const now = load.done;
  await until('visits elsewhere', undefined, never, async () => load.done > now + 20);
  expect(visits('web1').length).toBe(quiet);
  await expect(link().call(ClusterServiceService.drainHead, head('web2/nginx'))).rejects.toThrow(/no other head/);
  await done(link().call(ClusterServiceService.activateHead, head('web1/nginx')));
  await until('visits at the head', undefined, never, async () => visits('web1').length > quiet + 5);
  await load.stop();
  expect(load.failures).toEqual([]);
});

test('a head that dies is taken out by its front, and comes back by itself', async () => {
  const load = startLoad(FRONT, port, `${SITE}:${port}`, 3, { path: '/', posts: 0 });
  await until('some visits', undefined, never, async () => load.done > 20);
  process.kill(machine.process('web2').pid, 'SIGKILL');
  await until(
    'the front to find it',
    undefined,
    never,
    async () => (await headOf('web2/nginx'))?.status?.healthy === false,
  );
  // Each visitor may have had one request there.
  expect(load.failures.length).toBeLessThanOrEqual(3);
  const lost = load.failures.length;
  const now = load.done;
  await until('more visits', undefined, never, async () => load.done > now + 30);
  expect(load.failures.length).toBe(lost);
  await machine.startServer(web2);
  await until(
    'the front to find it again',
    undefined,
    never,
    async () => (await headOf('web2/nginx'))?.status?.healthy === true,
  );
  await load.stop();
  expect(load.failures.length).toBe(lost);
});

test('verify finds what was broken by hand on a head and on the front', async () => {
  const plan = async () => {
    const { plan } = await link().call(SiteServiceService.verifySite, {
      ...{ site: SITE, confirm: false, options: { planOnly: true, idempotencyKey: '' } },
    });
    return plan?.steps.flatMap(({ changes, server }) => changes.map((change) => `${server}: ${change}`)) ?? [];
  };
  expect(await plan()).toEqual([]);
  const { writeFile } = await import('node:fs/promises');
  await writeFile(host('front1', 'etc/haproxy/aegir/hosts.map'), 'evil.example nowhere\n');
  await writeFile(host('web2', 'etc/nginx/conf.d', `aegir-${siteId}.conf`), '');
  expect((await plan()).map((line) => line.split(':')[0]).sort()).toEqual(['front1', 'web2']);
  await done(link().call(SiteServiceService.verifySite, { site: SITE, confirm: false, options }));
  expect(await plan()).toEqual([]);
  expect(await createBrowser(FRONT).get(`http://${SITE}:${port}/`)).toMatchObject({ status: 200 });
});

test('another front takes over under visitors, and the former one lets go', { tags: ['deep'] }, async () => {
  const [haproxy = 0, haproxyTls = 0] = await freePorts(2, '127.0.0.1');
  await machine.startServer({
    ...{ name: 'front2', address: FRONT2, daemons: ['haproxy'], types: ['dns'] },
    ports: { nginx: 0, mariadb: 0, haproxy, haproxyTls },
  });
  await until('the server to be there', undefined, never, async () => {
    const all = { pageSize: 0, pageToken: '', server: '', type: '' };
    const { services } = await link().call(ServiceServiceService.listServices, all);
    return services.some(({ name }) => name === 'front2/haproxy');
  });
  const rebind = { site: SITE, http: 'front2/cluster:pool2', dns: '', patienceSeconds: 3, options };
  const create = (heads: string[]) =>
    link().call(ClusterServiceService.createCluster, {
      ...{ name: 'pool2', front: 'front2', heads, share: 'common', checkMillis: 500, fall: 2, rise: 2, options },
    });
  await done(create(['web1/nginx']));
  await expect(link().call(SiteServiceService.rebindSite, rebind)).rejects.toThrow(/are not those that have the site/);
  await done(link().call(ClusterServiceService.addHead, { ...head('web2/nginx'), cluster: 'pool2' }));
  await expect(link().call(SiteServiceService.rebindSite, rebind)).rejects.toThrow(/aegir platform add/);
  const platform = { name: 'again', root: '/usr/share/wordpress', service: 'front2/cluster:pool2', app: '', options };
  await done(link().call(PlatformServiceService.addPlatform, platform));
  // WordPress leads visitors to the address that it knows: only a file is the same by both ports.
  const file = '/wp-includes/css/dist/block-library/style.min.css';
  const load = startLoad(FRONT, port, `${SITE}:${port}`, 3, { path: file, posts: 0 });
  const { taskId } = await link().call(SiteServiceService.rebindSite, rebind);
  await until('both fronts to serve', undefined, never, async () => {
    const { status } = await createBrowser(FRONT2)
      .get(`http://${SITE}:${haproxy}${file}`)
      .catch(() => ({ status: 0 }));
    return status === 200;
  });
  await load.stop();
  expect(load.failures).toEqual([]);
  const { task } = await finish(machine, taskId);
  expect([task.state, task.reason]).toEqual(['succeeded', '']);
  const home = await createBrowser(FRONT2).get(`http://${SITE}:${haproxy}/`);
  expect(home).toMatchObject({ status: 200, body: expect.stringContaining('Clustered') });
  expect((await createBrowser(FRONT).get(`http://${SITE}:${port}/`)).status).not.toBe(200);
  const { plan } = await link().call(SiteServiceService.verifySite, {
    ...{ site: SITE, confirm: false, options: { planOnly: true, idempotencyKey: '' } },
  });
  expect(plan?.steps.flatMap(({ changes }) => changes)).toEqual([]);
  // And back, for the tests that follow.
  await done(
    link().call(SiteServiceService.rebindSite, { ...rebind, http: 'front1/cluster:pool', patienceSeconds: 0 }),
  );
  // The connection that was kept since it had no site there is answered once more by HAProxy's former worker.
  await until('the former front to serve again', undefined, never, async () => {
    return (await createBrowser(FRONT).get(`http://${SITE}:${port}/`)).status === 200;
  });
  await link().call(PlatformServiceService.removePlatform, { platform: 'again', confirm: true });
  await done(link().call(ClusterServiceService.deleteCluster, { cluster: 'pool2', confirm: true, options }));
});

test('a head is removed: nothing of the site is left there, and its files stay for the others', async () => {
  await done(link().call(ClusterServiceService.removeHead, head('web1/nginx')));
  expect(await readdir(host('web1', 'sites'))).toEqual([]);
  expect((await readdir(host('web1', 'etc/nginx/conf.d'))).filter((name) => name.includes('site-'))).toEqual([]);
  expect(await readdir(join(shared, siteId))).toEqual(['files', 'private']);
  expect(await createBrowser(FRONT).get(`http://${SITE}:${port}/`)).toMatchObject({ status: 200 });
  expect(sql(machine, "SELECT host FROM mysql.user WHERE user LIKE 's\\_%'").flat().sort()).toEqual([
    '127.0.0.1',
    WEB2,
  ]);
});

test('the site is deleted with what its heads shared, and the cluster goes', async () => {
  await expect(
    link().call(ClusterServiceService.deleteCluster, { cluster: 'pool', confirm: true, options }),
  ).rejects.toThrow(/bind to it/);
  await done(link().call(SiteServiceService.deleteSite, { site: SITE, confirm: true, options }));
  expect((await readdir(shared)).filter((name) => name.startsWith('site-'))).toEqual([]);
  expect(await readdir(host('web2', 'sites'))).toEqual([]);
  await link().call(PlatformServiceService.removePlatform, { platform: 'wordpress', confirm: true });
  await done(link().call(ClusterServiceService.deleteCluster, { cluster: 'pool', confirm: true, options }));
  expect((await link().call(ClusterServiceService.listClusters, { pageSize: 0, pageToken: '' })).clusters).toEqual([]);
  const server = await link().call(ServerServiceService.getServer, { server: 'front1' });
  expect(server.services.filter(({ engine }) => engine === 'cluster')).toEqual([]);
});
