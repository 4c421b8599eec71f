// The embedded host with the real Apache, alone and beside nginx.
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { acceptingChildren } from '../apache-workers.ts';
import type { Daemon, DaemonName, Host } from '../host.ts';
import { listProcesses, processFacts, programOf } from '../proc.ts';
import { waitUntil } from '../wait.ts';
import type { EmbeddedOptions } from './host.ts';
import { createEmbeddedHost } from './host.ts';
import { recordGroup } from './leftovers.ts';
import { haveEnded } from './testing-ended.ts';

const ADDRESS = '127.0.41.3';
let base = '';
let hosts: Host[] = [];

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'aegir-apache-'));
  await chmod(base, 0o711);
  hosts = [];
});
afterEach(async () => {
  await Promise.all(hosts.map((host) => host.close()));
  await rm(base, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, ADDRESS, done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

async function optionsFor(over: Partial<EmbeddedOptions> = {}): Promise<EmbeddedOptions> {
  const ports = { nginx: await freePort(), apache2: await freePort(), mariadb: 0 };
  const daemons: readonly DaemonName[] = ['apache2'];
  return { dir: join(base, 'srv'), hostname: 'web1.test', address: ADDRESS, ports, daemons, ...over };
}

async function up(options: EmbeddedOptions): Promise<Host> {
  const host = await createEmbeddedHost(options);
  hosts.push(host);
  return host;
}

async function daemonOf(host: Host, name: DaemonName): Promise<Daemon> {
  const daemon = await host.daemon(name);
  if (daemon === undefined) throw new Error(`no ${name}`);
  return daemon;
}

async function masterOf(children: readonly number[]): Promise<number> {
  const parent = (await processFacts(children[0] ?? 0))?.parent;
  if (parent === undefined) throw new Error('no child accepts');
  return parent;
}

/** Pid of the Apache that is our own child. */
async function ourApache(): Promise<number> {
  for (const { pid, parent, group } of await listProcesses()) {
    if (parent === process.pid && group === pid && /\/apache2$/.test((await programOf(pid)) ?? '')) return pid;
  }
  throw new Error('no Apache of ours runs');
}

function get(daemon: Daemon, hostName: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const target = { host: daemon.addresses[0], port: daemon.port, agent: false, headers: { host: hostName } };
    request(target, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.once('error', reject);
    })
      .once('error', reject)
      .end();
  });
}

async function vhost(host: Host, { addresses, port, includeDir }: Daemon, name: string, answer: string): Promise<void> {
  const text = `<VirtualHost ${addresses.map((address) => `${address}:${port}`).join(' ')}>
  ServerName ${name}
  ErrorDocument 410 "${answer}"
  Redirect 410 /
</VirtualHost>
`;
  await host.files.write(join(includeDir, `${name}.conf`), text, { mode: 0o644 });
}

test('a reload is in force when it resolves, and a wrong configuration changes nothing', async () => {
  const host = await up(await optionsFor());
  const apache = await daemonOf(host, 'apache2');
  expect((await get(apache, 'unknown.test')).status).toBe(404);
  for (let round = 0; round < 8; round++) {
    await vhost(host, apache, 'a.test', `round ${round}`);
    await apache.reload();
    const bodies = await Promise.all(Array.from({ length: 8 }, () => get(apache, 'a.test')));
    expect(bodies.map(({ body }) => body)).toEqual(Array(8).fill(`round ${round}`));
  }
  await host.files.write(join(apache.includeDir, 'bad.conf'), 'nonsense on\n', { mode: 0o644 });
  await expect(apache.reload()).rejects.toThrow(/Invalid command 'nonsense'/);
  expect((await get(apache, 'a.test')).body).toBe('round 7');
});

test('a reload lets a request end that is under way, and does not wait for it', async () => {
  const host = await up(await optionsFor());
  const apache = await daemonOf(host, 'apache2');
  const size = 32 * 1024 * 1024;
  const docroot = join(host.paths.sites, 'a');
  await host.files.directory(docroot, { mode: 0o755 });
  await host.files.write(join(docroot, 'large.bin'), Buffer.alloc(size, 'x'), { mode: 0o644 });
  const text = `<VirtualHost ${ADDRESS}:${apache.port}>
  ServerName a.test
  DocumentRoot "${docroot}"
  <Directory "${docroot}">
    Require all granted
  </Directory>
</VirtualHost>
`;
  await host.files.write(join(apache.includeDir, 'a.conf'), text, { mode: 0o644 });
  await apache.reload();

  const master = await ourApache();
  const before = await acceptingChildren(master);
  const socket = connect(apache.port, ADDRESS);
  socket.write('GET /large.bin HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
  let received = 0;
  await new Promise<void>((begun) => {
    socket.once('data', (chunk) => {
      received += chunk.length;
      socket.pause();
      begun();
    });
  });
  await vhost(host, apache, 'b.test', 'new');
  await apache.reload();
  expect((await get(apache, 'b.test')).body).toBe('new');
  // One of the old ones still sends; none of them takes anybody else.
  const alive = (await Promise.all(before.map(processFacts))).filter((facts) => facts !== undefined);
  expect(alive.length).toBeGreaterThan(0);
  expect(received).toBeLessThan(size);

  const ended = new Promise((end) => socket.once('end', end));
  socket.on('data', (chunk) => {
    received += chunk.length;
  });
  socket.resume();
  await ended;
  expect(received).toBeGreaterThan(size);
});

test('a reload that passes the check but cannot be had says so: the port is taken', async () => {
  const host = await up(await optionsFor());
  const apache = await daemonOf(host, 'apache2');
  const taken = createServer();
  await new Promise<void>((done) => taken.listen(0, ADDRESS, done));
  const file = join(apache.includeDir, 'taken.conf');
  try {
    const { port } = taken.address() as { port: number };
    await host.files.write(file, `Listen ${ADDRESS}:${port}\n`, { mode: 0o644 });
    await expect(apache.reload()).rejects.toThrow(/cannot reload apache2: [\s\S]*Address already in use/);
    // Apache does not survive that; with the old file it comes back.
    await host.files.remove(file);
    await apache.reload();
    expect((await get(apache, 'x.test')).status).toBe(404);
  } finally {
    await new Promise((done) => taken.close(done));
  }
});

test('what dies is started again, its children with it; what is stopped stays down', async () => {
  const host = await up(await optionsFor());
  const apache = await daemonOf(host, 'apache2');
  await vhost(host, apache, 'a.test', 'alive');
  await apache.reload();

  const master = await ourApache();
  const children = await acceptingChildren(master);
  expect(await masterOf(children)).toBe(master);
  process.kill(master, 'SIGKILL');
  const back = async (): Promise<boolean> => {
    const answer = await get(apache, 'a.test').catch(() => undefined);
    return answer?.body === 'alive' && (await processFacts(master)) === undefined && (await apache.isRunning());
  };
  expect(await waitUntil(back, 60_000)).toBe(true);
  expect(await haveEnded(children)).toBe(true);

  await apache.stop();
  expect(await apache.isRunning()).toBe(false);
  await expect(get(apache, 'a.test')).rejects.toThrow(/ECONNREFUSED/);
  await apache.start();
  expect((await get(apache, 'a.test')).body).toBe('alive');
});

test('leftovers that nothing told to end are found and ended: a master, and children without one', async () => {
  const notes: string[] = [];
  const options = await optionsFor({ note: (_, text) => void notes.push(text) });
  const host = await up(options);
  const apache = await daemonOf(host, 'apache2');
  const { uid, gid } = (await host.users.lookup(apache.user)) ?? {};
  await host.close();

  // As a holder would leave it whose death told nobody: a master on its own.
  const stray = async () => {
    await host.files.directory(host.paths.run, { mode: 0o711 });
    const argv = ['-DFOREGROUND', ...apache.configArguments];
    const child = spawn('/usr/sbin/apache2', argv, { detached: true, stdio: 'ignore', uid, gid });
    const pid = child.pid ?? 0;
    const gone = new Promise((done) => child.once('exit', done));
    expect(await waitUntil(async () => (await acceptingChildren(pid)).length > 0, 60_000)).toBe(true);
    return { pid, gone };
  };
  const master = await stray();
  const second = await up(options);
  await master.gone;
  expect((await get(await daemonOf(second, 'apache2'), 'x.test')).status).toBe(404);
  await second.close();

  const headless = await stray();
  await recordGroup(join(options.dir, 'daemons', 'apache2.json'), headless.pid);
  const children = await acceptingChildren(headless.pid);
  process.kill(headless.pid, 'SIGKILL');
  await headless.gone;
  const third = await up(options);
  expect(await haveEnded(children)).toBe(true);
  expect(notes).toEqual([]);
  expect(await (await daemonOf(third, 'apache2')).isRunning()).toBe(true);
});

test('beside nginx, each on its own port; two on one port are refused', async () => {
  const options = await optionsFor({ daemons: ['nginx', 'apache2'] });
  const host = await up(options);
  const [nginx, apache] = [await daemonOf(host, 'nginx'), await daemonOf(host, 'apache2')];
  await vhost(host, apache, 'a.test', 'of Apache');
  await apache.reload();
  expect((await get(apache, 'a.test')).body).toBe('of Apache');
  expect((await get(nginx, 'a.test')).status).toBe(404);
  await apache.stop();
  expect((await get(nginx, 'a.test')).status).toBe(404);
  const ports = { nginx: 8080, apache2: 8080, mariadb: 0 };
  await expect(createEmbeddedHost({ ...options, dir: join(base, 'x'), ports })).rejects.toThrow(
    /cannot listen on the same port 8080/,
  );
});

test('a port in use: start says so with the end of the log, and the host comes up all the same', async () => {
  const taken = createServer();
  await new Promise<void>((done) => taken.listen(0, ADDRESS, done));
  const notes: string[] = [];
  try {
    const { port } = taken.address() as { port: number };
    const note = (_: string, text: string): void => void notes.push(text);
    const host = await up(await optionsFor({ ports: { nginx: 0, apache2: port, mariadb: 0 }, note }));
    expect(notes.join('\n')).toMatch(/cannot start apache2:[\s\S]*Address already in use/);
    await expect((await daemonOf(host, 'apache2')).start()).rejects.toThrow(/Address already in use/);
  } finally {
    await new Promise((done) => taken.close(done));
  }
});
