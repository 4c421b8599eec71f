// A cluster whose heads share no files, through the whole: a front, web servers with files of their own, and a real site whose
// visitors upload and comment while heads are added, drained, given up and come back.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLoad } from '../../agent/engine/http/cluster/testing-heads.ts';
import { type Browser, createBrowser } from '../../deploy/up/browse.ts';
import { type EmbeddedServer, until } from '../../deploy/up/processes.ts';
import {
  type ChangeResponse,
  ClusterServiceService,
  PlatformServiceService,
  ServiceServiceService,
  SiteServiceService,
  type Task,
} from '../../shared/gen/aegir/v1/admin.ts';
import { freePorts } from './free-ports.ts';
import { finish, type Machine, startMachine } from './machine.ts';
import { installSite, SITE } from './site-tasks.ts';

const FRONT = '127.0.1.4';
const ADDRESSES = { web1: '127.0.1.1', web2: '127.0.1.3', web3: '127.0.1.6' } as const;
type Head = keyof typeof ADDRESSES;
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const never = new AbortController().signal;
const options = undefined;
let machine: Machine;
let port = 0;
let siteId = '';
let browser: Browser;
const servers = new Map<Head, EmbeddedServer>();
const ports = new Map<Head, number>();

const link = () => machine.connection();
async function ended(change: Promise<ChangeResponse>): Promise<Task> {
  return (await finish(machine, (await change).taskId)).task;
}
async function done(change: Promise<ChangeResponse>): Promise<void> {
  const task = await ended(change);
  expect([task.verb, task.state, task.reason]).toEqual([task.verb, 'succeeded', '']);
}
const head = (name: Head, more: { abandoned?: boolean; discard?: boolean } = {}) => ({
  ...{ cluster: 'pool', service: `${name}/nginx`, weight: 0, patienceSeconds: 0, confirm: true, options },
  ...{ abandoned: false, discard: false, ...more },
});
const cluster = () => link().call(ClusterServiceService.getCluster, { cluster: 'pool' });
const spread = async () => {
  const [site] = (await cluster()).spread;
  if (site === undefined) throw new Error('the cluster has no site with files of its own');
  return { writer: site.writer.split('/')[0] as Head, copies: site.copies };
};
const other = async (): Promise<Head> => ((await spread()).writer === 'web1' ? 'web2' : 'web1');
const files = (name: Head, ...path: string[]) => join(machine.layout.dir, name, 'host/sites', siteId, 'files', ...path);
/** Everything in the files of a site on a server, with content. */
function tree(name: Head, at = ''): readonly string[] {
  return readdirSync(files(name, at)).flatMap((leaf) => {
    const path = join(at, leaf);
    if (statSync(files(name, path)).isDirectory()) return [`${path}/`, ...tree(name, path)];
    return [`${path} ${readFileSync(files(name, path)).toString('base64').slice(0, 40)}`];
  });
}
const url = (path: string) => `http://${SITE}:${port}${path}`;

interface Got {
  readonly status: number;
  readonly body: Buffer;
}
function ask(
  path: string,
  {
    at = FRONT,
    port: on = port,
    body,
    type = '',
    cookie = '',
  }: {
    at?: string;
    port?: number;
    body?: Buffer | string;
    type?: string;
    cookie?: string;
  } = {},
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string> = { host: `${SITE}:${port}`, cookie };
    if (body !== undefined) {
      headers['content-type'] = type;
      headers['content-length'] = String(Buffer.byteLength(body));
    }
    const asked = request(
      // A connection of its own each time: one that was kept is answered once more by the HAProxy of before a reload.
      { agent: false, host: at, port: on, path, method: body === undefined ? 'GET' : 'POST', headers },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts) }));
        answer.on('error', reject);
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}
const askHead = (name: Head, path: string) => ask(path, { at: ADDRESSES[name], port: ports.get(name) ?? 0 });

/** As the form of the media library does; answers the path of the picture. */
async function upload(name: string): Promise<string> {
  const form = await browser.get(url('/wp-admin/media-new.php'));
  const nonce =
    /name="_wpnonce" value="([0-9a-f]+)"/.exec(form.body)?.[1] ?? /"_wpnonce":"([0-9a-f]+)"/.exec(form.body)?.[1];
  expect(nonce).toBeDefined();
  const part = (field: string, value: string) =>
    `--xx\r\nContent-Disposition: form-data; name="${field}"\r\n\r\n${value}\r\n`;
  const body = Buffer.concat([
    Buffer.from(
      `${part('name', name)}${part('action', 'upload-attachment')}${part('_wpnonce', nonce ?? '')}--xx\r\nContent-Disposition: form-data; name="async-upload"; filename="${name}"\r\nContent-Type: image/png\r\n\r\n`,
    ),
    PNG,
    Buffer.from('\r\n--xx--\r\n'),
  ]);
  const answer = await ask('/wp-admin/async-upload.php', {
    ...{ body, type: 'multipart/form-data; boundary=xx', cookie: browser.cookies() },
  });
  const told = JSON.parse(answer.body.toString()) as { success: boolean; data: { url: string } };
  expect(told.success).toBe(true);
  return new URL(told.data.url).pathname;
}
const onDisk = (name: Head, path: string) => existsSync(files(name, path.replace('/wp-content/uploads/', '')));
async function login(): Promise<void> {
  const { taskId } = await link().call(SiteServiceService.loginSite, { site: SITE, account: '', options });
  const { events } = await finish(machine, taskId);
  const message = events.find((event) => event.body?.$case === 'message' && event.body.value.kind === 'link');
  browser = createBrowser(FRONT);
  const answer = await browser.get(message?.body?.$case === 'message' ? message.body.value.value : '');
  expect(answer.url).toContain('/wp-admin/');
}
const sync = () => done(link().call(ClusterServiceService.syncCluster, { cluster: 'pool', site: '', options }));

beforeAll(async () => {
  machine = await startMachine();
  const [haproxy = 0, haproxyTls = 0, nginx2 = 0, nginx3 = 0] = await freePorts(4, '127.0.0.1');
  port = haproxy;
  ports.set('web1', machine.layout.ports.web1.nginx);
  await machine.startServer({
    ...{ name: 'front1', address: FRONT, daemons: ['haproxy'], types: ['dns'] },
    ports: { nginx: 0, mariadb: 0, haproxy, haproxyTls },
  });
  for (const [name, nginx] of [
    ['web2', nginx2],
    ['web3', nginx3],
  ] as const) {
    ports.set(name, nginx);
    const server: EmbeddedServer = {
      ...{ name, address: ADDRESSES[name], daemons: ['nginx', 'php-fpm'], types: ['http'] },
      ports: { nginx, mariadb: 0 },
    };
    servers.set(name, server);
    await machine.startServer(server);
  }
  await until('the servers to be there', undefined, never, async () => {
    const { services } = await link().call(ServiceServiceService.listServices, {
      ...{ pageSize: 0, pageToken: '', server: '', type: '' },
    });
    const enabled = (name: string) => services.some((each) => each.name === name && each.state === 'enabled');
    return enabled('web2/nginx') && enabled('web3/nginx') && services.some(({ name }) => name === 'front1/haproxy');
  });
  await done(
    link().call(ClusterServiceService.createCluster, {
      ...{ name: 'pool', front: 'front1', heads: ['web1/nginx', 'web2/nginx'], share: '' },
      ...{ checkMillis: 300, fall: 2, rise: 2, options },
    }),
  );
  await done(
    link().call(PlatformServiceService.addPlatform, {
      ...{ name: 'pooled', root: '/usr/share/wordpress', service: 'front1/cluster:pool', app: '', options },
    }),
  );
});
afterAll(() => machine?.close());

test('a site is installed: one head takes its writes, and its owner logs in by the front', async () => {
  const { taskId, subjectId } = await installSite(machine, SITE, [], 'pooled');
  siteId = subjectId;
  const { task } = await finish(machine, taskId);
  expect([task.state, task.reason]).toEqual(['succeeded', '']);
  expect(await spread()).toMatchObject({ copies: [{ service: expect.stringContaining('/nginx') }] });
  await login();
  expect((await browser.get(url('/wp-admin/'))).body).toContain('Dashboard');
});

test('an upload is read at once by either head, and lies on both after they are made equal', async () => {
  const { writer } = await spread();
  const reader = await other();
  const path = await upload('first.png');
  expect([onDisk(writer, path), onDisk(reader, path)]).toEqual([true, false]);
  for (let n = 0; n < 6; n++) expect((await ask(path)).status).toBe(200);
  for (const name of ['web1', 'web2'] as const) {
    expect(await askHead(name, path)).toEqual({ status: 200, body: PNG });
    expect((await askHead(name, '/wp-content/uploads/nowhere.png')).status).toBe(404);
  }
  await sync();
  expect(onDisk(reader, path)).toBe(true);
  expect(tree(reader)).toEqual(tree(writer));
  expect((await spread()).copies).toMatchObject([{ service: `${reader}/nginx`, state: 'equal' }]);
});

test('and it travels by itself', { tags: ['deep'] }, async () => {
  const path = await upload('second.png');
  const reader = await other();
  await until('the file to be there', undefined, never, async () => onDisk(reader, path));
  expect(tree('web1')).toEqual(tree('web2'));
});

test('a visitor comments, and both heads show it', { tags: ['deep'] }, async () => {
  const body = new URLSearchParams({
    ...{ comment: 'A word of a visitor', author: 'Ann', email: 'ann@example.org', comment_post_ID: '1' },
    comment_parent: '0',
  }).toString();
  const said = await ask('/wp-comments-post.php', { body, type: 'application/x-www-form-urlencoded' });
  expect(said.status).toBe(302);
  const list = await browser.get(url('/wp-admin/edit-comments.php'));
  expect(list.body).toContain('A word of a visitor');
});

test('another head takes the writes under visitors who write, and nothing is lost', async () => {
  const { writer } = await spread();
  const reader = await other();
  const path = await upload('third.png');
  const plan = await link().call(ClusterServiceService.moveWriter, {
    ...{ site: SITE, service: `${reader}/nginx`, options: { planOnly: true, idempotencyKey: '' } },
  });
  expect(plan.plan?.warnings.join()).toMatch(/wait while the last changes travel/);
  const load = startLoad(FRONT, port, `${SITE}:${port}`, 3, { path: '/', posts: 0.3 });
  await done(link().call(ClusterServiceService.moveWriter, { site: SITE, service: `${reader}/nginx`, options }));
  const now = load.done;
  await until('more visits', undefined, never, async () => load.done > now + 10);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect((await spread()).writer).toBe(reader);
  expect(onDisk(reader, path)).toBe(true);
  const next = await upload('fourth.png');
  expect([onDisk(reader, next), (await askHead(writer, next)).status]).toEqual([true, 200]);
});

test('the head that takes the writes is drained: another one does, and no request fails', {
  tags: ['deep'],
}, async () => {
  const { writer } = await spread();
  const next = await other();
  const path = await upload('fifth.png');
  const load = startLoad(FRONT, port, `${SITE}:${port}`, 3, { path: '/', posts: 0.3 });
  await done(link().call(ClusterServiceService.drainHead, head(writer)));
  await load.stop();
  expect(load.failures).toEqual([]);
  expect((await spread()).writer).toBe(next);
  expect(tree(next).length).toBeGreaterThan(0);
  expect([onDisk(next, path), (await ask(path)).status]).toEqual([true, 200]);
  // While it is out it is kept equal, or is when it is back.
  const later = await upload('sixth.png');
  await done(link().call(ClusterServiceService.activateHead, head(writer)));
  expect(onDisk(writer, later)).toBe(true);
});

test('a head is added: it has the files before it gets a request', async () => {
  const path = await upload('seventh.png');
  const load = startLoad(FRONT, port, `${SITE}:${port}`, 3, { path, posts: 0 });
  await done(link().call(ClusterServiceService.addHead, head('web3')));
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(tree('web3')).toEqual(tree((await spread()).writer));
});

test('the head that takes the writes dies: pages go on, and what it had alone is told when it is given up', async () => {
  await done(link().call(ClusterServiceService.moveWriter, { site: SITE, service: 'web3/nginx', options }));
  await sync();
  const path = await upload('lost.png');
  expect(onDisk('web1', path)).toBe(false);
  process.kill(machine.process('web3').pid, 'SIGKILL');
  await until('the front to find it', undefined, never, async () => {
    return (await cluster()).heads.find(({ service }) => service === 'web3/nginx')?.status?.healthy === false;
  });
  expect((await ask('/')).status).toBe(200);
  expect((await ask('/wp-comments-post.php', { body: 'x', type: 'text/plain' })).status).toBe(503);
  const plan = await link().call(ClusterServiceService.drainHead, {
    ...head('web3', { abandoned: true }),
    options: { planOnly: true, idempotencyKey: '' },
  });
  expect(plan.plan?.warnings.join()).toMatch(/what web3\/nginx took since .* stays there alone/);
  await done(link().call(ClusterServiceService.drainHead, head('web3', { abandoned: true })));
  const { writer } = await spread();
  expect(writer).not.toBe('web3');
  expect((await ask('/wp-comments-post.php', { body: 'x', type: 'text/plain' })).status).toBe(200);
  // A connection that the browser kept is answered once more by the HAProxy of before, which knows the dead head alone.
  await until('the former front to be gone', undefined, never, async () => {
    return (await browser.get(url('/wp-admin/'))).status === 200;
  });
  const next = await upload('after.png');
  expect((await ask(next)).status).toBe(200);
});

test('it comes back, gets no requests, and overwrites nothing; its own files go by decision alone', async () => {
  const server = servers.get('web3');
  if (server === undefined) throw new Error('no web3');
  await machine.startServer(server);
  const lost = tree('web3').filter((line) => line.includes('lost'));
  expect(lost).not.toEqual([]);
  const copy = (await spread()).copies.find(({ service }) => service === 'web3/nginx');
  expect(copy?.state).toBe('kept');
  await sync();
  expect(tree('web3').filter((line) => line.includes('lost'))).toEqual(lost);
  await expect(link().call(ClusterServiceService.activateHead, head('web3'))).rejects.toThrow(
    /nowhere else.*--discard/s,
  );
  const { writer } = await spread();
  const before = tree(writer);
  await done(link().call(ClusterServiceService.activateHead, head('web3', { discard: true })));
  expect(tree(writer)).toEqual(before);
  expect(tree('web3')).toEqual(before);
});

test('what a reader has of its own goes when heads are made equal', { tags: ['deep'] }, async () => {
  const reader = await other();
  writeFileSync(files(reader, 'stray.txt'), 'not of the writer');
  const path = await upload('eighth.png');
  await sync();
  expect([existsSync(files(reader, 'stray.txt')), onDisk(reader, path)]).toEqual([false, true]);
});

test('after all of this there is nothing to mend, and the site goes with all of its files', async () => {
  const { plan } = await link().call(SiteServiceService.verifySite, {
    ...{ site: SITE, confirm: false, options: { planOnly: true, idempotencyKey: '' } },
  });
  expect(plan?.steps.flatMap(({ changes }) => changes)).toEqual([]);
  await done(link().call(ClusterServiceService.removeHead, head((await spread()).writer)));
  expect((await ask('/')).status).toBe(200);
  await done(link().call(SiteServiceService.deleteSite, { site: SITE, confirm: true, options }));
  for (const name of ['web1', 'web2', 'web3'] as const) {
    expect(readdirSync(join(machine.layout.dir, name, 'host/sites'))).toEqual([]);
  }
});
