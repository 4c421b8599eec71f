// No secret of an install stands in a log, a store or an argument vector: the database's password, the administrator's token,
// the login link's key. Row 3, with the programs as they are: tokens and pins that are wrong let nobody join; a revoked server
// is cut from the stream and from the mesh within 5 s, and gets back in nowhere, as one that was removed. The walk over every
// method of every listener by every kind of certificate is master/session/refusals.test.ts; that over tokens and roles,
// master/api.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { LOOPBACK } from '../../deploy/up/processes.ts';
import {
  GraphServiceService,
  ServerServiceService,
  TaskServiceService,
  TokenServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import { addWordpress, createMachine, finish, type Machine, startMachine } from './machine.ts';
import { installSite } from './site-tasks.ts';
import { type Vectors, watchVectors } from './vectors.ts';

const root = new URL('../..', import.meta.url).pathname;
const CUT_WITHIN_MS = 5000;
const PAGE = { pageSize: 0, pageToken: '' };

let machine: Machine;
let vectors: Vectors;
beforeAll(async () => {
  vectors = watchVectors();
  machine = await startMachine();
});
afterAll(async () => {
  vectors.stop();
  await machine?.close();
});

test('an install leaves its secrets only where they belong', async () => {
  await addWordpress(machine);
  const done = await finish(machine, (await installSite(machine)).taskId);
  vectors.stop();
  expect(done.task.state, done.task.reason).toBe('succeeded');
  const { dir, master } = machine.layout;
  const sites = join(dir, 'web1/host/sites');
  const settings = join(sites, readdirSync(sites)[0] ?? '', 'config/settings.php');
  const password = /DB_PASSWORD', '([^']+)'/.exec(readFileSync(settings, 'utf8'))?.[1] ?? '';
  const link = done.events.flatMap(({ body }) => (body?.$case === 'message' ? [body.value.value] : []))[0] ?? '';
  const token = readFileSync(join(master, 'admin.token'), 'utf8').trim();
  const secrets = [password, new URL(link).searchParams.get('aegir-login') ?? '', token];
  for (const secret of secrets) expect(secret.length).toBeGreaterThan(20);

  const belongs = new Set([settings, join(master, 'admin.token')]);
  // The agent's journal keeps the link, since a result must survive a crash: in a directory that only the agent enters.
  const state = join(dir, 'web1/agent');
  expect(statSync(state).mode & 0o077).toBe(0);
  const found = filesUnder(dir)
    .filter((path) => !belongs.has(path) && !path.startsWith(join(state, 'journal.db')))
    .flatMap((path) => {
      const bytes = readFileSync(path);
      return secrets.flatMap((secret, which) => (bytes.includes(secret) ? [`secret ${which} in ${path}`] : []));
    });
  expect(found).toEqual([]);
  expect(vectors.seen.size).toBeGreaterThan(20);
  expect([...vectors.seen].filter((vector) => secrets.some((secret) => vector.includes(secret)))).toEqual([]);
  // The one that may hold it is for the site's user and root alone; what the master keeps, for the master alone.
  expect(statSync(settings).mode & 0o007).toBe(0);
  expect(statSync(join(master, 'admin.token')).mode & 0o077).toBe(0);
  expect(statSync(master).mode & 0o077).toBe(0);
});

function filesUnder(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return filesUnder(path);
    return entry.isFile() ? [path] : [];
  });
}

interface TokenOptions {
  readonly uses?: number;
  readonly ttlSeconds?: bigint;
}

async function joinToken({ uses = 1, ttlSeconds = 600n }: TokenOptions = {}) {
  return machine.connection().call(TokenServiceService.createToken, {
    kind: 'join',
    description: 'attack',
    role: '',
    uses,
    ttlSeconds,
    autoAccept: true,
    autoEnable: [],
  });
}

async function pin(): Promise<string> {
  return (await machine.connection().call(GraphServiceService.getStatus, {})).caPin;
}

/** Runs the agent's join as a new host would. */
function tryJoin(
  token: string,
  caPin: string,
  where = machine,
): { readonly status: number | null; readonly said: string } {
  const dir = mkdtempSync(join(machine.layout.dir, 'stranger-'));
  mkdirSync(join(dir, 'agent'), { mode: 0o700 });
  const config = join(dir, 'agent/config.json');
  writeFileSync(
    config,
    JSON.stringify({
      stateDir: join(dir, 'agent'),
      host: {
        kind: 'embedded',
        dir: join(dir, 'host'),
        address: '127.0.1.9',
        extraAddresses: [],
        ports: { nginx: 1, mariadb: 2 },
        daemons: [],
        hostname: 'stranger',
      },
    }),
  );
  const args = ['join', '--master', `${LOOPBACK}:${where.layout.ports.enrol}`, '--ca-pin', caPin, '--config', config];
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'agent/main.ts'), ...args], {
    env: { ...process.env, AEGIR_JOIN_TOKEN: token },
    encoding: 'utf8',
  });
  return { status, said: stderr };
}

async function serverNames(): Promise<string[]> {
  const { servers } = await machine.connection().call(ServerServiceService.listServers, { pageSize: 0, pageToken: '' });
  return servers.map((server) => server.name).sort();
}

describe('nobody joins', () => {
  test('with a wrong token', async () => {
    const { value } = await joinToken();
    const forged = `${value.slice(0, -4)}${value.endsWith('aaaa') ? 'bbbb' : 'aaaa'}`;
    const { status, said } = tryJoin(forged, await pin());
    expect(status).not.toBe(0);
    expect(said).toMatch(/^aegir-agent: cannot join.*;/m);
    expect(said).not.toContain(forged);
    expect(await serverNames()).toEqual(['db1', 'web1']);
  });

  test('with an expired token', async () => {
    const { value, token } = await joinToken({ ttlSeconds: 1n });
    const ends = token?.expiresAt?.getTime() ?? 0;
    expect(ends).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, ends - Date.now()) + 50));
    const { status, said } = tryJoin(value, await pin());
    expect(status).not.toBe(0);
    expect(said).toMatch(/cannot join/);
    expect(await serverNames()).toEqual(['db1', 'web1']);
  });

  test('with a revoked token', async () => {
    const { value, token } = await joinToken();
    await machine.connection().call(TokenServiceService.revokeToken, { tokenId: token?.id ?? '' });
    expect(tryJoin(value, await pin()).status).not.toBe(0);
    expect(await serverNames()).toEqual(['db1', 'web1']);
  });

  test('with an api token', async () => {
    const { value } = await machine.connection().call(TokenServiceService.createToken, {
      kind: 'api',
      description: 'attack',
      role: 'admin',
      uses: 0,
      ttlSeconds: 600n,
      autoAccept: false,
      autoEnable: [],
    });
    expect(tryJoin(value, await pin()).status).not.toBe(0);
    expect(await serverNames()).toEqual(['db1', 'web1']);
  });

  test('a master whose authority has another pin, to which the token is not even shown', async () => {
    const { value, token } = await joinToken();
    const other = await pin();
    const wrong = `${other.slice(0, -4)}${other.endsWith('0000') ? '1111' : '0000'}`;
    const { status, said } = tryJoin(value, wrong);
    expect(status).not.toBe(0);
    expect(said).toMatch(/pin/);
    const { tokens } = await machine.connection().call(TokenServiceService.listTokens, { pageSize: 0, pageToken: '' });
    expect(tokens.find((each) => each.id === token?.id)?.usesLeft).toBe(1);
    // The same token with the right pin is good, once.
    expect(tryJoin(value, other).status).toBe(0);
    expect(await serverNames()).toEqual(['db1', 'stranger', 'web1']);
    const again = tryJoin(value, other);
    expect(again.status).not.toBe(0);
    expect(again.said).toMatch(/cannot join/);
    expect(await serverNames()).toEqual(['db1', 'stranger', 'web1']);
  });
});

describe('the identity of another installation', () => {
  test('opens no session and no mesh connection here', async () => {
    const foreign = await createMachine();
    try {
      await foreign.start('master');
      await foreign.startServer({ name: 'web1', address: '127.0.1.1', daemons: [], types: [], ports: {} });
      const theirs = join(foreign.layout.dir, 'web1/agent/identity.json');
      const identity = JSON.parse(readFileSync(theirs, 'utf8')) as Identity;
      // Ours comes through TLS, and is then asked for its leave; theirs is not even asked.
      const ours = JSON.parse(readFileSync(join(machine.layout.dir, 'web1/agent/identity.json'), 'utf8')) as Identity;
      await expect(meshWith(ours)).rejects.toThrow(/authorization/i);
      await expect(meshWith(identity)).rejects.not.toThrow(/authorization/i);
    } finally {
      await foreign.close();
    }
  });
});

interface Identity {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly caPem: string;
}

/** TLS to this machine's mesh node with that certificate, trusting the node's authority. */
async function meshWith({ certificatePem, keyPem }: Identity): Promise<NatsConnection> {
  const ca = readFileSync(join(machine.layout.master, 'ca.pem'), 'utf8');
  return connect({
    servers: `${LOOPBACK}:${machine.layout.ports.mesh}`,
    tls: { cert: certificatePem, key: keyPem, ca },
    timeout: 5000,
    reconnect: false,
  });
}

describe('a removed server', () => {
  const SPARE = { name: 'spare', address: '127.0.1.8', daemons: [], types: ['file'], ports: {} } as const;

  test('is cut off and forgotten, its certificate opens nothing, and its host joins anew', async () => {
    const log = join(machine.layout.dir, 'spare.log');
    const said = (from: number) => readFileSync(log, 'utf8').slice(from);
    await machine.startServer(SPARE);
    await until(() => /mesh: connected/.test(said(0)), 30_000);
    const link = machine.connection();
    const enabled = async () => {
      const { services } = await link.call(ServerServiceService.getServer, { server: 'spare' });
      const { tasks } = await link.call(TaskServiceService.listTasks, { ...PAGE, state: '', subjectId: '' });
      expect(services.filter(({ state }) => state === 'enabled').map(({ engine }) => engine)).toContain('mesh');
      expect(tasks.filter(({ finishedAt }) => finishedAt === undefined)).toEqual([]);
    };
    await vi.waitFor(enabled, { timeout: 30_000, interval: 100 });
    const first = await link.call(ServerServiceService.getServer, { server: 'spare' });
    const asked = { server: 'spare', abandoned: false, options: undefined };
    await expect(link.call(ServerServiceService.removeServer, { ...asked, confirm: false })).rejects.toThrow(
      /not confirmed/,
    );
    const before = readFileSync(log, 'utf8').length;
    await link.call(ServerServiceService.removeServer, { ...asked, confirm: true });
    await until(() => /this server was revoked by its master/.test(said(before)), CUT_WITHIN_MS);
    expect(await serverNames()).not.toContain('spare');
    await expect(link.call(ServerServiceService.getServer, { server: first.id })).rejects.toThrow(/cannot find server/);

    // Started again with the same identity, it is told, and ends.
    await machine.stop('spare');
    const mark = readFileSync(log, 'utf8').length;
    await machine.startServer(SPARE);
    await until(() => /its server was removed/.test(said(mark)), 30_000);
    await until(() => /the agent stops/.test(said(mark)), 30_000);
    expect(await serverNames()).not.toContain('spare');
    await machine.stop('spare');

    rmSync(join(machine.layout.dir, 'spare/agent/identity.json'));
    const anew = readFileSync(log, 'utf8').length;
    await machine.startServer(SPARE);
    await until(() => /mesh: connected/.test(said(anew)), 30_000);
    await vi.waitFor(enabled, { timeout: 30_000, interval: 100 });
    const second = await link.call(ServerServiceService.getServer, { server: 'spare' });
    expect(second).toMatchObject({ state: 'accepted', connected: true });
    expect(second.id).not.toBe(first.id);
    await link.call(ServerServiceService.removeServer, { ...asked, confirm: true });
    await machine.stop('spare');
  });
});

describe('a revoked server', () => {
  test('is cut from stream and mesh within 5 s, and comes back nowhere', async () => {
    const log = join(machine.layout.dir, 'web1.log');
    await until(() => /mesh: connected/.test(readFileSync(log, 'utf8')), 30_000);
    const before = readFileSync(log, 'utf8').length;
    const lines = () =>
      readFileSync(log, 'utf8')
        .slice(before)
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as { time: string; msg: string });
    const begin = Date.now();
    const { id } = await machine
      .connection()
      .call(ServerServiceService.revokeServer, { server: 'web1', confirm: true });
    const at = async (what: RegExp) => {
      await until(() => lines().some(({ msg }) => what.test(msg)), CUT_WITHIN_MS);
      const found = lines().find(({ msg }) => what.test(msg));
      return new Date(found?.time ?? 0).getTime() - begin;
    };
    const stream = await at(/session over/);
    // The agent goes by itself; that the node cuts one which does not: master/mesh.
    const mesh = await at(/mesh: connection lost|agent ended/);
    console.log(`revoked: stream cut after ${stream} ms, mesh after ${mesh} ms`);
    expect(stream).toBeLessThan(CUT_WITHIN_MS);
    expect(mesh).toBeLessThan(CUT_WITHIN_MS);

    // Started again with the same identity, it is refused and says so.
    await machine.stop('web1');
    const mark = readFileSync(log, 'utf8').length;
    await machine.start('web1');
    await until(() => /revoked|may not/i.test(readFileSync(log, 'utf8').slice(mark)), 30_000);
    const { connected } = await machine.connection().call(ServerServiceService.getServer, { server: id });
    expect(connected).toBe(false);
  });
});

async function until(condition: () => boolean, withinMs: number): Promise<void> {
  for (const deadline = Date.now() + withinMs; !condition(); ) {
    if (Date.now() > deadline) throw new Error(`${String(condition)} did not come true within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
