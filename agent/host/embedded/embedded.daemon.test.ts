// The embedded host with the real nginx, PHP-FPM and MariaDB.
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Daemon, DaemonName, Host } from '../host.ts';
import { acceptingWorkers } from '../nginx-workers.ts';
import { commandLine, listProcesses, processFacts, programOf } from '../proc.ts';
import { waitUntil } from '../wait.ts';
import type { EmbeddedOptions } from './host.ts';
import { createEmbeddedHost } from './host.ts';
import { recordGroup } from './leftovers.ts';
import { haveEnded } from './testing-ended.ts';

const ALL: readonly DaemonName[] = ['nginx', 'mariadb', 'php-fpm@8.2'];
const ADDRESS = '127.0.41.1';
let base = '';
let hosts: Host[] = [];

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'aegir-emb-'));
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

async function optionsFor(
  daemons: readonly DaemonName[],
  over: Partial<EmbeddedOptions> = {},
): Promise<EmbeddedOptions> {
  const ports = { nginx: await freePort(), mariadb: await freePort() };
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

/** Every process that has our directory in its command line, and all of their groups. */
async function processesIn(dir: string): Promise<readonly number[]> {
  const all = (await listProcesses()).filter(({ state, pid }) => state !== 'Z' && pid !== process.pid);
  const groups = new Set<number>();
  for (const { pid, group } of all) {
    const daemon = /\/(nginx|mariadbd|php-fpm8\.2)$/.test((await programOf(pid)) ?? '');
    if (daemon && (await commandLine(pid)).includes(dir)) groups.add(group);
  }
  return all.filter(({ group }) => groups.has(group)).map(({ pid }) => pid);
}

async function leaderOf(dir: string, program: RegExp): Promise<number> {
  for (const pid of await processesIn(dir)) {
    const leads = (await processFacts(pid))?.group === pid;
    if (leads && program.test((await programOf(pid)) ?? '')) return pid;
  }
  throw new Error(`nothing runs ${program}`);
}

/** By node:http: fetch does not let one choose the Host header. */
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

async function vhost(host: Host, nginx: Daemon, name: string, answer: string): Promise<void> {
  const listen = nginx.addresses.map((address) => `listen ${address}:${nginx.port};`).join(' ');
  const text = `server { ${listen} server_name ${name}; location / { return 200 "${answer}"; } }\n`;
  await host.files.write(join(nginx.includeDir, `${name}.conf`), text, { mode: 0o644 });
}

async function pool(host: Host, fpm: Daemon, name: string): Promise<void> {
  const text = `[${name}]\nuser = ${fpm.user}\nlisten = ${host.paths.run}/${name}.sock\nlisten.owner = ${fpm.user}\nlisten.mode = 0660\npm = ondemand\npm.max_children = 2\n`;
  await host.files.write(join(fpm.includeDir, `${name}.conf`), text, { mode: 0o644 });
}

async function sql(host: Host, statement: string): Promise<string> {
  const { socket, user } = await daemonOf(host, 'mariadb');
  const argv = ['mariadb', '--no-defaults', '-N', `--socket=${socket}`, `--user=${user}`] as const;
  const { code, stdout, stderr } = await host.run({ argv, input: statement });
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

test('serves PHP through nginx, keeps what is in the database over a restart, and leaves no process', async () => {
  const options = await optionsFor(ALL);
  const host = await up(options);
  const [nginx, fpm] = [await daemonOf(host, 'nginx'), await daemonOf(host, 'php-fpm@8.2')];
  expect((await get(nginx, 'unknown.test')).status).toBe(404);
  expect(await fpm.isRunning()).toBe(false); // no pool yet

  const docroot = join(host.paths.sites, 'a');
  await host.files.directory(docroot, { mode: 0o755 });
  await host.files.write(join(docroot, 'index.php'), '<?php echo "uid ", posix_geteuid();', { mode: 0o644 });
  await pool(host, fpm, 'a');
  await fpm.reload();
  expect(await fpm.isRunning()).toBe(true);
  const text = `server { listen ${ADDRESS}:${nginx.port}; server_name a.test; root ${docroot};
    location / { include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME $document_root/index.php;
    fastcgi_pass unix:${host.paths.run}/a.sock; } }\n`;
  await host.files.write(join(nginx.includeDir, 'a.conf'), text, { mode: 0o644 });
  await nginx.reload();
  const { uid } = (await host.users.lookup(nginx.user)) ?? {};
  expect(uid).toBeGreaterThan(0); // never root
  expect(await get(nginx, 'a.test')).toEqual({ status: 200, body: `uid ${uid}` });

  await sql(host, 'CREATE DATABASE kept; CREATE TABLE kept.t (i INT) ENGINE=InnoDB; INSERT INTO kept.t VALUES (7)');
  await host.users.ensure('aegir-x', docroot);
  await host.close();
  expect(await processesIn(options.dir)).toEqual([]);

  const second = await up(options);
  expect(await sql(second, 'SELECT i FROM kept.t')).toBe('7');
  expect((await get(await daemonOf(second, 'nginx'), 'a.test')).body).toBe(`uid ${uid}`);
  expect(await second.users.lookup('aegir-x')).toEqual({ name: 'aegir-x', uid, gid: expect.any(Number) });
  expect(await second.users.lookup('aegir-y')).toBeUndefined();
});

test('a reload is in force when it resolves, and a wrong configuration changes nothing', async () => {
  const host = await up(await optionsFor(['nginx', 'php-fpm@8.2']));
  const [nginx, fpm] = [await daemonOf(host, 'nginx'), await daemonOf(host, 'php-fpm@8.2')];
  for (let round = 0; round < 8; round++) {
    await vhost(host, nginx, 'a.test', `round ${round}`);
    await nginx.reload();
    const bodies = await Promise.all(Array.from({ length: 8 }, () => get(nginx, 'a.test')));
    expect(bodies.map(({ body }) => body)).toEqual(Array(8).fill(`round ${round}`));
  }
  await host.files.write(join(nginx.includeDir, 'bad.conf'), 'nonsense;\n', { mode: 0o644 });
  await expect(nginx.reload()).rejects.toThrow(/unknown directive "nonsense"/);
  expect((await get(nginx, 'a.test')).body).toBe('round 7');

  for (const name of ['a', 'b', 'c']) {
    await pool(host, fpm, name);
    await fpm.reload();
    expect(await host.files.exists(`${host.paths.run}/${name}.sock`)).toBe(true);
  }
  await host.files.write(join(fpm.includeDir, 'bad.conf'), '[bad]\nnonsense = 1\n', { mode: 0o644 });
  await expect(fpm.reload()).rejects.toThrow(/nonsense/);
  expect(await fpm.isRunning()).toBe(true);
  for (const name of ['a', 'b', 'c', 'bad']) await host.files.remove(join(fpm.includeDir, `${name}.conf`));
  await fpm.reload();
  expect(await fpm.isRunning()).toBe(false); // the last pool went
});

test('a reload that passes the check but cannot be had says so: the port is taken', async () => {
  const options = await optionsFor(['nginx']);
  const host = await up(options);
  const nginx = await daemonOf(host, 'nginx');
  const taken = createServer();
  await new Promise<void>((done) => taken.listen(0, ADDRESS, done));
  try {
    const { port } = taken.address() as { port: number };
    const text = `server { listen ${ADDRESS}:${port}; }\n`;
    await host.files.write(join(nginx.includeDir, 'taken.conf'), text, { mode: 0o644 });
    await expect(nginx.reload()).rejects.toThrow(/not in force:[\s\S]*Address already in use/);
    expect((await get(nginx, 'x.test')).status).toBe(404);
  } finally {
    await new Promise((done) => taken.close(done));
  }
});

test('what dies is started again, its workers with it; what is stopped stays down', async () => {
  const options = await optionsFor(ALL);
  const host = await up(options);
  const nginx = await daemonOf(host, 'nginx');
  await vhost(host, nginx, 'a.test', 'alive');
  await nginx.reload();

  const master = await leaderOf(options.dir, /nginx$/);
  const workers = await acceptingWorkers(master);
  process.kill(master, 'SIGKILL');
  const back = async (): Promise<boolean> => {
    const answer = await get(nginx, 'a.test').catch(() => undefined);
    // By another master: workers of the one that died may still answer for a moment.
    const leader = await leaderOf(options.dir, /nginx$/).catch(() => master);
    return answer?.body === 'alive' && leader !== master && (await nginx.isRunning());
  };
  expect(await waitUntil(back, 60_000)).toBe(true);
  expect(await haveEnded(workers)).toBe(true);

  process.kill(await leaderOf(options.dir, /mariadbd$/), 'SIGKILL');
  const answers = async (): Promise<boolean> => (await sql(host, 'SELECT 1').catch(() => '')) === '1';
  expect(await waitUntil(async () => !(await answers()), 60_000)).toBe(true);
  expect(await waitUntil(answers, 20_000, 100)).toBe(true);

  await nginx.stop();
  expect(await nginx.isRunning()).toBe(false);
  await nginx.start();
  expect((await get(nginx, 'a.test')).body).toBe('alive');
});

test('kill -9 of the holder: nothing remains, and the next start takes over', async () => {
  const options = await optionsFor(ALL);
  const first = await up(options);
  await pool(first, await daemonOf(first, 'php-fpm@8.2'), 'a');
  await first.close();

  const file = new URL('./testing-holder.ts', import.meta.url).pathname;
  const holder = spawn(process.execPath, [file, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = new Promise((done) => holder.once('exit', done));
  await new Promise((ready) => holder.stdout.once('data', ready));
  expect((await processesIn(options.dir)).length).toBeGreaterThanOrEqual(5);
  await expect(createEmbeddedHost(options)).rejects.toThrow(/another agent holds it/);
  holder.kill('SIGKILL');
  await exit;
  expect(await waitUntil(async () => (await processesIn(options.dir)).length === 0, 60_000)).toBe(true);
  expect(await sql(await up(options), 'SELECT 2')).toBe('2');
});

test('leftovers that nothing told to end are found and ended: a master, and workers without one', async () => {
  const notes: string[] = [];
  const note = (_: string, text: string): void => void notes.push(text);
  const options = await optionsFor(['nginx'], { note });
  const host = await up(options);
  const nginx = await daemonOf(host, 'nginx');
  const { uid, gid } = (await host.users.lookup(nginx.user)) ?? {};
  await host.close();

  // As a holder would leave it whose death told nobody: a master on its own.
  const stray = async () => {
    const child = spawn('/usr/sbin/nginx', [...nginx.configArguments], { detached: true, stdio: 'ignore', uid, gid });
    const pid = child.pid ?? 0;
    const gone = new Promise((done) => child.once('exit', done));
    const serves = async (): Promise<boolean> => (await acceptingWorkers(pid)).length > 0;
    expect(await waitUntil(serves, 60_000)).toBe(true);
    return { pid, gone };
  };
  const master = await stray();
  const second = await up(options);
  await master.gone;
  expect((await get(await daemonOf(second, 'nginx'), 'x.test')).status).toBe(404);
  await second.close();

  const headless = await stray();
  await recordGroup(join(options.dir, 'daemons', 'nginx.json'), headless.pid);
  const workers = await acceptingWorkers(headless.pid);
  process.kill(headless.pid, 'SIGKILL');
  await headless.gone;
  expect((await get(nginx, 'x.test')).status).toBe(404); // they serve without it, and hold the port
  const third = await up(options);
  expect(await haveEnded(workers)).toBe(true);
  expect(notes).toEqual([]);
  expect(await (await daemonOf(third, 'nginx')).isRunning()).toBe(true);
});

test('close ends commands that run, and nothing starts after it', async () => {
  const options = await optionsFor(['nginx']);
  const host = await up(options);
  const nginx = await daemonOf(host, 'nginx');
  const running = host.run({ argv: ['sleep', '300'], user: 'anybody', timeoutMs: 600_000 });
  const ended = expect(running).rejects.toMatchObject({ code: 'cancelled' });
  await host.close();
  await ended;
  await expect(nginx.start()).rejects.toThrow(/being closed/);
  expect(await processesIn(options.dir)).toEqual([]);
});

test('two side by side, one in a directory too deep for sockets; ports as given', async () => {
  const deep = join(base, 'd'.repeat(60), 'e'.repeat(60));
  await mkdir(deep, { recursive: true, mode: 0o755 });
  const one = await up(await optionsFor(['nginx'], { dir: join(base, 'one') }));
  const two = await up(await optionsFor(['mariadb'], { dir: deep, address: '127.0.41.2' }));
  expect(await one.daemon('mariadb')).toBeUndefined();
  expect(two.paths.run.length).toBeLessThan(80);
  expect(await sql(two, 'SELECT @@bind_address')).toBe('127.0.41.2');
  expect((await two.identity()).sourceAddresses).toEqual(['127.0.41.2', '127.0.0.1']);
  await two.close();
  expect(await two.files.exists(two.paths.run)).toBe(false);
});

test('a port in use: start says so with the end of the log, and the host comes up all the same', async () => {
  const taken = createServer();
  await new Promise<void>((done) => taken.listen(0, ADDRESS, done));
  const notes: string[] = [];
  try {
    const { port } = taken.address() as { port: number };
    const note = (_: string, text: string): void => void notes.push(text);
    const host = await up(await optionsFor(['nginx'], { ports: { nginx: port, mariadb: 1 }, note }));
    expect(notes.join('\n')).toMatch(/cannot start nginx:[\s\S]*Address already in use/);
    await expect((await daemonOf(host, 'nginx')).start()).rejects.toThrow(/Address already in use/);
  } finally {
    await new Promise((done) => taken.close(done));
  }
});

test('a crash while the system tables were made: they are made again', async () => {
  const options = await optionsFor(['mariadb']);
  await mkdir(join(options.dir, 'data', 'mariadb.new', 'mysql'), { recursive: true });
  await writeFile(join(options.dir, 'data', 'mariadb.new', 'ibdata1'), 'half');
  expect(await sql(await up(options), 'SELECT 3')).toBe('3');
});

test.skipIf(process.geteuid?.() !== 0)(
  'as root: refuses a directory that the run user cannot reach, naming it',
  async () => {
    const closed = join(base, 'closed');
    await mkdir(closed, { mode: 0o700 });
    const options = await optionsFor(['nginx'], { dir: join(closed, 'srv') });
    await expect(createEmbeddedHost(options)).rejects.toThrow(new RegExp(`may not enter ${closed};`));
  },
);
