// A site over HTTPS, on real servers: self-signed at once, then by a real authority (Pebble), renewed, given other names,
// refused; what a person sees stays up all the while.
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { LOOPBACK } from '../../deploy/up/processes.ts';
import { type SetSiteRequest, type Site, SiteServiceService, type Task } from '../../shared/gen/aegir/v1/admin.ts';
import { addWordpress, createMachine, finish, type Machine } from './machine.ts';
import { type Pebble, startPebble } from './pebble.ts';
import { installSite } from './site-tasks.ts';

const NAME = 'secure.example.org';
const ALIAS = 'www.secure.example.org';
const WEB1 = '127.0.1.1';
let machine: Machine;
let pebble: Pebble;
let secure = '';
let plain = '';

beforeAll(async () => {
  machine = await createMachine();
  const { nginx, nginxTls } = machine.layout.ports.web1;
  plain = `http://${NAME}:${nginx}`;
  secure = `https://${NAME}:${nginxTls}`;
  pebble = await startPebble(WEB1, nginx);
  const { directory, caFile } = pebble;
  await machine.start('master', {}, { acme: { directory, caFile, termsOfServiceAgreed: true } });
  await machine.start('web1');
  await machine.start('db1');
  await machine.ready();
  await addWordpress(machine);
  const { task } = await finish(machine, (await installSite(machine, NAME, [ALIAS])).taskId);
  expect(task.state, task.reason).toBe('succeeded');
});

afterAll(async () => {
  await pebble?.close();
  await machine?.close();
});

async function set(part: Partial<SetSiteRequest>): Promise<Task> {
  const request = {
    site: NAME,
    addAliases: [],
    removeAliases: [],
    certificatePem: '',
    keyPem: '',
    authUsers: [],
    removeAuthUsers: [],
    openToAll: false,
    options: undefined,
  };
  const { taskId } = await machine.connection().call(SiteServiceService.setSite, { ...request, ...part });
  return (await finish(machine, taskId)).task;
}

async function certify(): Promise<Task> {
  const request = { site: NAME, confirm: false, options: undefined };
  return (await finish(machine, (await machine.connection().call(SiteServiceService.certifySite, request)).taskId))
    .task;
}

const browser = (trust?: string) =>
  createBrowser(LOOPBACK, { names: [NAME, ALIAS], ...(trust === undefined ? {} : { trust }) });
const read = (): Promise<Site> => machine.connection().call(SiteServiceService.getSite, { site: NAME });

/** One request to the site's own server, with headers. */
function ask(url: string, headers: Record<string, string>): Promise<IncomingMessage> {
  const { hostname, port, pathname } = new URL(url);
  const options = {
    host: LOOPBACK,
    port,
    path: pathname,
    servername: hostname,
    rejectUnauthorized: false,
    agent: false,
  };
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request({ ...options, headers: { ...headers, host: `${hostname}:${port}` } }, (response) => {
    response.resume();
    resolve(response);
  })
    .on('error', reject)
    .end();
  return promise;
}

/** What is shown to whoever asks for the name. */
function shown(name = NAME): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const port = machine.layout.ports.web1.nginxTls ?? 0;
    const socket = connect({ host: LOOPBACK, port, servername: name, rejectUnauthorized: false }, () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

test('is served over HTTPS at once, with a certificate of its own making; plain HTTP leads there', async () => {
  const before = await browser().get(plain);
  expect(before.status).toBe(200);
  const task = await set({ https: 'self-signed', httpsRedirect: true });
  expect(task.state, task.reason).toBe('succeeded');
  const home = await browser().get(plain);
  expect([home.status, home.url]).toEqual([200, `${secure}/`]);
  // WordPress knows its address.
  expect(home.body).toContain(`${secure}/wp-`);
  expect(home.body).not.toContain(`${plain}/wp-`);
  expect(await read()).toMatchObject({
    url: secure,
    certificate: { source: 'self-signed', names: [NAME, ALIAS] },
    web: { https: 'self-signed', redirect: true },
  });
  expect((await shown()).issuer).toBe((await shown()).subject);
});

test('gets a certificate of the authority, which browsers trust', async () => {
  expect((await set({ https: 'acme' })).state).toBe('succeeded');
  const task = await certify();
  expect(task.state, task.reason).toBe('succeeded');
  const site = await read();
  expect(site.certificate).toMatchObject({ source: 'acme', issuer: expect.stringMatching(/Pebble/) });
  expect([...(site.certificate?.names ?? [])].sort()).toEqual([NAME, ALIAS].sort());
  const trusting = browser(await pebble.root());
  expect((await trusting.get(secure)).status).toBe(200);
  // Nothing of the challenge is left.
  const left = await browser().get(`${plain}/.well-known/acme-challenge/anything-at-all`);
  expect(left.url).toBe(`${secure}/.well-known/acme-challenge/anything-at-all`);
});

test('is renewed by another one', async () => {
  const before = (await shown()).serialNumber;
  const task = await certify();
  expect(task.state, task.reason).toBe('succeeded');
  expect((await shown()).serialNumber).not.toBe(before);
});

test('a name that leads elsewhere is not proved: told as such, and the site is served as before', async () => {
  await pebble.point('lost.example.org', '127.0.9.9');
  const before = (await shown()).serialNumber;
  expect((await set({ addAliases: ['lost.example.org'] })).state).toBe('succeeded');
  // The certificate that people trust stays, though it lacks the new name.
  expect((await shown()).serialNumber).toBe(before);
  const task = await certify();
  expect([task.state, task.reason]).toEqual(['failed', expect.stringMatching(/lost\.example\.org was not proved: /)]);
  expect((await shown()).serialNumber).toBe(before);
  expect((await browser(await pebble.root()).get(secure)).status).toBe(200);
  expect((await set({ removeAliases: ['lost.example.org'] })).state).toBe('succeeded');
});

test('all names lead to one', async () => {
  const task = await set({ redirectTo: ALIAS });
  expect(task.state, task.reason).toBe('succeeded');
  const home = await browser(await pebble.root()).get(plain);
  expect([home.status, new URL(home.url).hostname]).toEqual([200, ALIAS]);
  expect((await set({ redirectTo: '' })).state).toBe('succeeded');
});

test('is for those who have its password; the authority comes in all the same', async () => {
  const password = 'a password that nobody guesses';
  const task = await set({ authUsers: [{ name: 'alice', password }], authRealm: 'Staff' });
  expect(task.state, task.reason).toBe('succeeded');
  expect((await browser().get(secure)).status).toBe(401);
  expect((await ask(secure, { authorization: `Basic ${btoa(`alice:${password}`)}` })).statusCode).toBe(200);
  expect((await ask(secure, { authorization: `Basic ${btoa('alice:wrong')}` })).statusCode).toBe(401);
  const before = (await shown()).serialNumber;
  const certified = await certify();
  expect(certified.state, certified.reason).toBe('succeeded');
  expect((await shown()).serialNumber).not.toBe(before);
  // Neither logs nor stores have it.
  const found = spawnSync('grep', ['-rlF', '-f', '-', machine.layout.dir], { input: password });
  expect([found.status, found.stdout.toString()]).toEqual([1, '']);
  const verified = await machine
    .connection()
    .call(SiteServiceService.verifySite, { site: NAME, confirm: false, options: undefined });
  expect((await finish(machine, verified.taskId)).task.state).toBe('succeeded');
  expect((await set({ openToAll: true })).state).toBe('succeeded');
  expect((await browser().get(secure)).status).toBe(200);
});

test("has an administrator's lines in its virtual host; a wrong one is named, and changes nothing", async () => {
  expect((await set({ webSnippet: 'add_header X-Mine yes;\n' })).state).toBe('succeeded');
  const mine = async () => (await ask(`${secure}/wp-login.php`, {})).headers['x-mine'];
  expect(await mine()).toBe('yes');
  await expect(set({ webSnippet: '# Ours.\nnonsense on;\n' })).rejects.toThrow(/line 2/);
  const task = await set({ webSnippet: '# Ours.\nadd_header X-Mine;\n' });
  expect([task.state, task.reason]).toEqual([
    'failed',
    expect.stringMatching(
      /line 2: nginx says: invalid number of arguments in "add_header" directive; the old configuration stays in force/,
    ),
  ]);
  expect(await mine()).toBe('yes');
  expect((await read()).snippet).toEqual({ engine: 'nginx', text: 'add_header X-Mine yes;\n', bytes: 23 });
  expect((await set({ webSnippet: '' })).state).toBe('succeeded');
  expect(await mine()).toBeUndefined();
});

test('its PHP has the limits that were set, within bounds', async () => {
  expect((await set({ phpMemoryBytes: 300n * 1024n * 1024n, phpSeconds: 90 })).state).toBe('succeeded');
  const pools = join(
    machine.layout.dir,
    `web1/host/etc/${readdirSync(join(machine.layout.dir, 'web1/host/etc')).find((name) => name.startsWith('php-fpm-'))}/pool.d`,
  );
  const pool = () => {
    const name = readdirSync(pools).find((file) => file.startsWith('aegir-site-')) ?? '';
    return readFileSync(join(pools, name), 'utf8');
  };
  expect(pool()).toContain('php_admin_value[memory_limit] = 314572800\n');
  expect(pool()).toContain('php_admin_value[max_execution_time] = 90\n');
  await expect(set({ phpMemoryBytes: 1024n })).rejects.toThrow(/cannot allow PHP memory/);
  expect((await set({ phpMemoryBytes: 0n, phpSeconds: 0 })).state).toBe('succeeded');
  expect(pool()).toContain('php_admin_value[memory_limit] = 268435456\n');
});

test('HTTPS is taken off again; a delete leaves no key', async () => {
  const task = await set({ https: 'off' });
  expect(task.state, task.reason).toBe('succeeded');
  const home = await browser().get(plain);
  expect([home.status, home.url]).toEqual([200, `${plain}/`]);
  await expect(shown()).rejects.toThrow();
  const gone = await machine
    .connection()
    .call(SiteServiceService.deleteSite, { site: NAME, confirm: true, options: undefined });
  expect((await finish(machine, gone.taskId)).task.state).toBe('succeeded');
});
