// The embedded host with the real PostgreSQL.
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Daemon, Host } from '../host.ts';
import { psql } from '../postgresql-reload.ts';
import { listProcesses, processFacts, programOf, workingDirectoryOf } from '../proc.ts';
import { waitUntil } from '../wait.ts';
import { createEmbeddedHost, type EmbeddedOptions } from './host.ts';

const ADDRESS = '127.0.42.1';
const NAME = 'postgresql@15-main';
let base = '';
let hosts: Host[] = [];

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'aegir-epg-'));
  await chmod(base, 0o711);
  hosts = [];
});
afterEach(async () => {
  await Promise.all(hosts.map((host) => host.close()));
  await rm(base, { recursive: true, force: true });
});

async function options(over: Partial<EmbeddedOptions> = {}): Promise<EmbeddedOptions> {
  const ports = { nginx: 1, mariadb: 1, postgresql: await freePort() };
  const fixed = { dir: join(base, 'srv'), hostname: 'db1.test', address: ADDRESS, daemons: [NAME] as const };
  return { ...fixed, ports, ...over };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, ADDRESS, done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

async function up(of: EmbeddedOptions): Promise<{ host: Host; daemon: Daemon }> {
  const host = await createEmbeddedHost(of);
  hosts.push(host);
  const daemon = await host.daemon(NAME);
  if (daemon === undefined) throw new Error('the host has no PostgreSQL');
  return { host, daemon };
}

async function sql(host: Host, daemon: Daemon, statement: string): Promise<string> {
  const { code, stdout, stderr } = await host.run({ argv: psql(daemon, 'postgres'), input: statement });
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** Every process of the server below dir: they all work in its data. */
async function processesIn(dir: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const { pid, state } of await listProcesses()) {
    const ours = state !== 'Z' && (await programOf(pid))?.endsWith('/postgres') === true;
    if (ours && (await workingDirectoryOf(pid))?.startsWith(dir) === true) found.push(pid);
  }
  return found;
}

async function leaderOf(dir: string): Promise<number> {
  const all = await processesIn(dir);
  for (const pid of all) if (!all.includes((await processFacts(pid))?.parent ?? 0)) return pid;
  throw new Error('no server runs');
}

test('is durable, listens where it is told, and keeps what it holds over a restart', async () => {
  const of = await options();
  const { host, daemon } = await up(of);
  expect(await host.postgresqlClusters()).toEqual(['15-main']);
  expect(
    await sql(host, daemon, 'SHOW fsync; SHOW full_page_writes; SHOW data_checksums; SHOW listen_addresses;'),
  ).toBe(`on\non\non\n${ADDRESS}`);
  const user = await host.users.lookup(daemon.user);
  expect(user?.uid).toBeGreaterThan(0); // never root
  await sql(host, daemon, 'CREATE TABLE kept AS SELECT 7 AS i;');
  await host.close();
  expect(await processesIn(of.dir)).toEqual([]);
  const second = await up(of);
  expect(await sql(second.host, second.daemon, 'SELECT i FROM kept;')).toBe('7');
});

test('a stop cuts off who is connected, and is a clean one', async () => {
  const { host, daemon } = await up(await options());
  const cut = sql(host, daemon, 'SELECT pg_sleep(300);').then(
    () => 'it was let finish',
    () => 'cut off',
  );
  const sleeps = () => sql(host, daemon, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep';");
  await expect.poll(sleeps).toBe('1');
  await daemon.stop();
  expect(await cut).toBe('cut off');
  expect(await daemon.isRunning()).toBe(false);
  await daemon.start();
  const log = await host.files.read(join(base, 'srv/daemon-logs/postgresql-15-main.log'));
  expect(log).toContain('received fast shutdown request');
  expect(log).not.toContain('was not properly shut down');
});

test('a reload is in force when it resolves; one that cannot be had says so', async () => {
  const { host, daemon } = await up(await options());
  const write = (text: string) => host.files.write(join(daemon.includeDir, 'a.conf'), text, { mode: 0o644 });
  for (const memory of ['5MB', '6MB', '7MB']) {
    await write(`work_mem = '${memory}'\n`);
    await daemon.reload();
    expect(await sql(host, daemon, 'SHOW work_mem;')).toBe(memory);
  }
  await write('nonsense\n');
  await expect(daemon.reload()).rejects.toThrow(/does not take its configuration; mend .*\/conf\.d\/a\.conf:1$/);
  expect(await sql(host, daemon, 'SHOW work_mem;')).toBe('7MB');
});

test('killed, it starts again by itself, with what was committed, whoever was still busy in it', async () => {
  const of = await options();
  const { host, daemon } = await up(of);
  await sql(host, daemon, 'CREATE TABLE kept AS SELECT 8 AS i;');
  // Somebody who does not look up from his work when the server is gone.
  const busy = sql(host, daemon, 'SELECT count(*) FROM generate_series(1, 10000000000) AS g(i);').catch(
    () => 'cut off',
  );
  const works = () =>
    sql(
      host,
      daemon,
      "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%generate_series%' AND pid <> pg_backend_pid();",
    );
  await expect.poll(works).toBe('1');
  const leader = await leaderOf(of.dir);
  process.kill(leader, 'SIGKILL');
  const kept = () => sql(host, daemon, 'SELECT i FROM kept;').catch(() => '');
  const again = async () => (await kept()) === '8' && (await leaderOf(of.dir)) !== leader;
  expect(await waitUntil(again, 30_000, 100)).toBe(true);
  expect(await busy).toBe('cut off');
});

test('kill -9 of the holder: nothing remains, and the next start takes over', async () => {
  const of = await options();
  const file = new URL('./testing-holder.ts', import.meta.url).pathname;
  const holder = spawn(process.execPath, [file, JSON.stringify(of)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = new Promise((done) => holder.once('exit', done));
  await new Promise((ready) => holder.stdout.once('data', ready));
  expect((await processesIn(of.dir)).length).toBeGreaterThan(1);
  holder.kill('SIGKILL');
  await exit;
  expect(await waitUntil(async () => (await processesIn(of.dir)).length === 0, 60_000)).toBe(true);
  const { host, daemon } = await up(of);
  expect(await sql(host, daemon, 'SELECT 2;')).toBe('2');
});

test('a server that nothing told to end is found and ended, and its lock file is no hindrance', async () => {
  const of = await options();
  const { host, daemon } = await up(of);
  const { uid, gid } = (await host.users.lookup(daemon.user)) ?? {};
  await host.close();
  const child = spawn(daemon.program, [...daemon.configArguments], { detached: true, stdio: 'ignore', uid, gid });
  const gone = new Promise((done) => child.once('exit', done));
  const answers = async () => {
    const lines = (await host.files.read(join(of.dir, 'data/postgresql-15-main/postmaster.pid')))?.split('\n');
    return lines?.[7]?.trim() === 'ready';
  };
  expect(await waitUntil(answers, 60_000)).toBe(true);
  const second = await up(of);
  await gone;
  expect(await sql(second.host, second.daemon, 'SELECT 3;')).toBe('3');
});

test('a crash while the system tables were made: they are made again', async () => {
  const of = await options();
  await mkdir(join(of.dir, 'data/postgresql-15-main.new/base'), { recursive: true });
  await writeFile(join(of.dir, 'data/postgresql-15-main.new/PG_VERSION'), 'half');
  const { host, daemon } = await up(of);
  expect(await sql(host, daemon, 'SELECT 4;')).toBe('4');
});

test.each([
  [['postgresql@15-main', 'postgresql@15-two'], /one cluster/],
  [['postgresql@main'], /no cluster/],
] as const)('%j is refused', async (daemons, why) => {
  await expect(createEmbeddedHost(await options({ daemons }))).rejects.toThrow(why);
});

test('a version that is not installed is refused with what to install', async () => {
  const of = await options({ daemons: ['postgresql@99-main'] });
  await expect(createEmbeddedHost(of)).rejects.toThrow(/install Debian package postgresql-99/);
});
