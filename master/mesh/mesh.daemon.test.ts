// The mesh with the real nats-server: who gets in, what an agent may do there, and how fast a revocation bites.
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, connect as dialPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as secure } from 'node:tls';
import { type ConnectionOptions, connect, Events, type NatsConnection } from 'nats';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { meshLogin } from '../../shared/mesh-login.ts';
import { createUser } from '../../shared/nkeys.ts';
import { server } from '../../test/records.ts';
import { type Authority, openAuthority } from '../ca/authority.ts';
import { openServing, type Serving } from '../ca/serving.ts';
import { opensslRequest } from '../ca/testing/openssl.ts';
import { openSqliteStore } from '../store/open-sqlite.ts';
import type { Store } from '../store/store.ts';
import { agentSubjects } from './claims.ts';
import { openMeshKeys } from './keys.ts';
import { type Mesh, type MeshOptions, openMesh } from './mesh.ts';

interface Agent {
  readonly id: string;
  readonly user: ReturnType<typeof createUser>;
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string };
}

const A = 'srv-0123456789abcdea';
const B = 'srv-0123456789abcdeb';
let dir: string;
let authority: Authority;
let foreign: Authority;
let serving: Serving;
let store: Store;
let mesh: Mesh;
let port: number;
let clock = 0;
let certificateClock = 0;
let options: MeshOptions;
const open: NatsConnection[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-mesh-'));
  authority = await openAuthority({ dir: join(dir, 'ca'), now: Date.now });
  foreign = await openAuthority({ dir: join(dir, 'foreign'), now: Date.now });
  serving = await openServing({
    ...{ authority, dir: join(dir, 'ca'), file: 'mesh', identity: 'aegir://mesh', names: ['127.0.0.1', 'localhost'] },
    ...{ clientAuth: true, now: () => Date.now() + certificateClock, log: pino({ level: 'silent' }) },
  });
  store = await openSqliteStore({ dir: join(dir, 'store') });
  for (const id of [A, B]) await store.servers.insert(server(id, id, '192.0.2.1'));
  port = await freePort();
  options = {
    ...{ dir: join(dir, 'node'), host: '127.0.0.1', port, serving, ca: authority.caPem },
    ...{ keys: openMeshKeys(join(dir, 'keys.json')), store },
    ...{ advertise: `127.0.0.1:${port}`, now: () => Date.now() + clock, log: () => {} },
  };
  mesh = await openMesh(options);
});
afterEach(async () => {
  clock = 0;
  await Promise.all(open.splice(0).map((connection) => connection.close()));
});
afterAll(async () => {
  await mesh?.close();
  serving.close();
  await store.close();
  rmSync(dir, { recursive: true });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function agent(id: string, by = authority): Promise<Agent> {
  const { csrPem, keyPem } = opensslRequest();
  const { pem } = await by.issueServer(id, csrPem);
  return { id, user: createUser(), tls: { cert: pem, key: keyPem, ca: authority.caPem } };
}

async function dial(as: Agent, patch: Partial<ConnectionOptions> = {}): Promise<NatsConnection> {
  const { jwt, servers } = await mesh.credentials(as.id, as.user.getPublicKey());
  return dialWith(jwt, servers, as, patch);
}

async function dialWith(jwt: string, servers: string[], as: Agent, patch: Partial<ConnectionOptions> = {}) {
  const connection = await connect({
    ...{ servers, tls: as.tls, authenticator: meshLogin(() => jwt, as.user.getSeed()) },
    ...{ reconnect: false, timeout: 3000, inboxPrefix: `aegir.to.${as.id}.from.inbox` },
    ...patch,
  });
  open.push(connection);
  return connection;
}

/** Errors that the server tells of this connection. */
function refusals(connection: NatsConnection): string[] {
  const told: string[] = [];
  void (async () => {
    for await (const { type, data } of connection.status()) if (type === Events.Error) told.push(String(data));
  })();
  return told;
}

test('an agent talks to another as itself, and to nobody as another', async () => {
  const [a, b] = [await agent(A), await agent(B)];
  const [linkA, linkB] = [await dial(a), await dial(b)];
  const heard: string[] = [];
  for (const subject of agentSubjects(B).subscribe) {
    linkB.subscribe(subject, { callback: (_, message) => void heard.push(message.subject) });
  }
  await linkB.flush();
  const told = refusals(linkA);
  linkA.publish(`aegir.to.${B}.from.${A}.give.t1`, 'x');
  // As another, to the account at large, to the system: each is refused, and told.
  const forbidden = [
    `aegir.to.${B}.from.${B}.give.t1`,
    `aegir.to.${B}.from.srv-c.give.t1`,
    `aegir.to.${A}.from.${B}.give.t1`,
    `aegir.to.${B}.from.${A}.other.t1`,
    `aegir.to.${B}.from.${A}.give.t1.more`,
    `aegir.to.${B}`,
    'anything',
    `_INBOX.${A}`,
    '$SYS.REQ.CLAIMS.UPDATE',
    '$JS.API.INFO',
  ];
  for (const subject of forbidden) linkA.publish(subject, 'x');
  await linkA.flush();
  await vi.waitFor(() => expect(told).toHaveLength(forbidden.length));
  linkA.publish(`aegir.to.${B}.from.${A}.give.t2`, 'x');
  await linkA.flush();
  await vi.waitFor(() => expect(heard).toContain(`aegir.to.${B}.from.${A}.give.t2`));
  expect(heard).toEqual([1, 2].map((n) => `aegir.to.${B}.from.${A}.give.t${n}`));
});

test('an agent hears what is for it, and nothing else', async () => {
  const link = await dial(await agent(A));
  const wanted = [
    `aegir.to.${B}.from.*.>`,
    `aegir.to.*.from.${B}.>`,
    `aegir.to.${A}.from.*.>`,
    `aegir.to.${B}.from.${A}.give.*`,
    'aegir.>',
    '>',
    '_INBOX.>',
    '$SYS.>',
    '$SYS.ACCOUNT.*.CONNECT',
  ];
  for (const subject of wanted) {
    const refused = await new Promise<string>((resolve) => {
      const subscription = link.subscribe(subject, { callback: (error) => resolve(error?.message ?? 'heard') });
      void subscription.closed.then(() => resolve('closed'));
      void link.flush();
    });
    expect(refused, subject).toMatch(/permission/i);
  }
  // Its own is granted still.
  link.subscribe(`aegir.to.${A}.from.${B}.give.t1`);
  await link.flush();
  expect(link.isClosed()).toBe(false);
});

test('a revocation cuts the open connection within 5 s, this one alone, and for ever', async () => {
  const [a, b] = [await agent(A), await agent(B)];
  const credentials = await mesh.credentials(A, a.user.getPublicKey());
  const linkA = await dialWith(credentials.jwt, credentials.servers, a);
  const linkB = await dial(b);
  const began = performance.now();
  const closed = linkA.closed();
  await mesh.revoke(A);
  await closed;
  expect(performance.now() - began).toBeLessThan(5000);
  expect(linkB.isClosed()).toBe(false);
  await linkB.flush();

  const again = () => dialWith(credentials.jwt, credentials.servers, a);
  await expect(again()).rejects.toThrow(/authorization|revoked/i);
  // The master gives that key nothing any more, however late.
  clock = 60_000;
  await expect(mesh.credentials(A, a.user.getPublicKey())).rejects.toMatchObject({ code: 'permission_denied' });
  clock = 0;
  // Repeatable; and it survives the node.
  await mesh.revoke(A);
  await mesh.close();
  mesh = await openMesh(options);
  await expect(again()).rejects.toThrow(/authorization|revoked/i);
  await expect(mesh.credentials(A, a.user.getPublicKey())).rejects.toMatchObject({ code: 'permission_denied' });
  // A host that joins anew has a new key.
  await dial({ ...a, user: createUser() });
});

test('a revocation voids every key that the server had leave for, not the last alone', async () => {
  const [evil, b] = [await agent(A), await agent(B)];
  const second = { ...evil, user: createUser() };
  const first = await mesh.credentials(A, evil.user.getPublicKey());
  const later = await mesh.credentials(A, second.user.getPublicKey());
  const links = [await dialWith(first.jwt, first.servers, evil), await dialWith(later.jwt, later.servers, second)];
  const other = await dial(b);
  const ends = links.map((link) => link.closed());
  await mesh.revoke(A);
  await Promise.all(ends);
  await expect(dialWith(first.jwt, first.servers, evil)).rejects.toThrow(/authorization|revoked/i);
  await expect(dialWith(later.jwt, later.servers, second)).rejects.toThrow(/authorization|revoked/i);
  await other.flush();
  expect(other.isClosed()).toBe(false);
});

test("nobody gets leave for another's key, and so has nobody cut off by being revoked", async () => {
  const b = await agent(B);
  const { jwt, servers } = await mesh.credentials(B, b.user.getPublicKey());
  const link = await dialWith(jwt, servers, b);
  await expect(mesh.credentials(A, b.user.getPublicKey())).rejects.toMatchObject({ code: 'failed_precondition' });
  await mesh.revoke(A);
  await link.flush();
  expect(link.isClosed()).toBe(false);
  await dialWith(jwt, servers, b);
  await dial(b);
});

test('a revocation that was recorded while the node was down is there when it is up', async () => {
  const a = await agent(A);
  const { jwt, servers } = await mesh.credentials(A, a.user.getPublicKey());
  await mesh.close();
  const value = JSON.stringify({ [a.user.getPublicKey()]: Math.ceil(Date.now() / 1000) + 1 });
  if ((await store.settings.get('mesh.revocations')) === undefined)
    await store.settings.insert({ id: 'mesh.revocations', value });
  else await store.settings.update('mesh.revocations', { value });
  mesh = await openMesh(options);
  await expect(dialWith(jwt, servers, a)).rejects.toThrow(/authorization|revoked/i);
});

test('who has no certificate of ours, or no JWT of ours, does not get in', async () => {
  const a = await agent(A);
  const { jwt, servers } = await mesh.credentials(A, a.user.getPublicKey());
  const other = await agent(A, foreign);
  const { cert, key, ca } = a.tls;
  await expect(dialWith(jwt, servers, { ...a, tls: { ...other.tls, ca } }), 'a foreign one').rejects.toThrow();
  await expect(dialWith(jwt, servers, a, { tls: { ca } }), 'none').rejects.toThrow();
  await expect(dialWith(jwt, servers, a, { tls: null }), 'no TLS').rejects.toThrow();
  await expect(dialWith(jwt, servers, { ...a, user: createUser() }), "another's JWT").rejects.toThrow(/authorization/i);
  const bare: ConnectionOptions = { servers, tls: { cert, key, ca }, reconnect: false, timeout: 3000 };
  await expect(connect(bare), 'no JWT').rejects.toThrow(/authorization/i);
  await expect(connect({ ...bare, user: 'a', pass: 'b' }), 'a password').rejects.toThrow(/authorization/i);
  const keys = openMeshKeys(join(dir, 'other-keys.json'));
  const { agentClaims } = await import('./claims.ts');
  const forged = await agentClaims(keys, A, a.user.getPublicKey(), Date.now() + 60_000);
  await expect(dialWith(forged, servers, a), 'of another account').rejects.toThrow(/authorization/i);
  clock = -2 * 3600_000;
  const old = await mesh.credentials(A, a.user.getPublicKey());
  await expect(dialWith(old.jwt, servers, a), 'expired').rejects.toThrow(/authorization|expired/i);
  // The same, when nothing is wrong with it.
  await dialWith(jwt, servers, a);
});

test('what is no public user key gets nothing', async () => {
  const { account } = options.keys;
  for (const key of ['', 'U', account.getPublicKey(), Buffer.from(createUser().getSeed()).toString()])
    await expect(mesh.credentials(A, key)).rejects.toMatchObject({ code: 'invalid_argument' });
});

test('a node that dies is started again, and revocations reach it', async () => {
  const a = await agent(A);
  const pid = Number(readFileSync(join(dir, 'node', 'node.pid'), 'utf8'));
  process.kill(pid, 'SIGKILL');
  await vi.waitFor(() => expect(Number(readFileSync(join(dir, 'node', 'node.pid'), 'utf8'))).not.toBe(pid), 10_000);
  const link = await vi.waitFor(() => dial(a), { timeout: 10_000, interval: 200 });
  const closed = link.closed();
  await mesh.revoke(A);
  await closed;
});

test('a revocation while the node is down is told as such, and bites when it is up', async () => {
  const a = await agent(A);
  const { jwt, servers } = await mesh.credentials(A, a.user.getPublicKey());
  const pid = Number(readFileSync(join(dir, 'node', 'node.pid'), 'utf8'));
  process.kill(pid, 'SIGSTOP');
  try {
    await expect(mesh.revoke(A)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('it is recorded'),
    });
  } finally {
    process.kill(pid, 'SIGKILL');
  }
  await vi.waitFor(
    async () => {
      await expect(dialWith(jwt, servers, a)).rejects.toThrow(/authorization|revoked/i);
    },
    { timeout: 15_000, interval: 200 },
  );
});

/** Serial number of the certificate that the node shows: NATS speaks first, TLS after. */
async function shown(): Promise<string> {
  const plain = dialPlain(port, '127.0.0.1');
  await once(plain, 'data');
  const socket = secure({ socket: plain, rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect');
    return new X509Certificate(socket.getPeerCertificate().raw).serialNumber;
  } finally {
    socket.destroy();
    plain.destroy();
  }
}

test('a node that starts again never lets a revoked one in, not for a moment', async () => {
  const a = await agent(A);
  const { jwt, servers } = await mesh.credentials(A, a.user.getPublicKey());
  await mesh.revoke(A);
  const pid = Number(readFileSync(join(dir, 'node', 'node.pid'), 'utf8'));
  process.kill(pid, 'SIGKILL');
  // As fast as it can, from before the port is open again, until the node itself has refused it some times.
  for (let refused = 0; refused < 5; ) {
    const answer = await dialWith(jwt, servers, a).then(
      () => 'let in',
      (error: Error) => error.message,
    );
    expect(answer).not.toBe('let in');
    if (/authorization|revoked/i.test(answer)) refused += 1;
  }
});

test('a renewed certificate is shown, links that are open stay, and the master pushes with it', async () => {
  const [a, before] = [await agent(A), await shown()];
  const link = await dial(a);
  certificateClock = 61 * 24 * 3_600_000;
  expect(await serving.refresh()).toBe(true);
  const fresh = new X509Certificate(serving.current().chainPem).serialNumber;
  expect(fresh).not.toBe(before);
  await vi.waitFor(async () => expect(await shown()).toBe(fresh), 10_000);
  await link.flush();
  expect(link.isClosed()).toBe(false);
  await dial({ ...a, user: createUser() });
  await mesh.revoke(A);
  await vi.waitFor(() => expect(link.isClosed()).toBe(true), 5000);
  expect(mesh.state()).toBe('running');
});

test('a port that is taken: a clear error, and nothing left running', async () => {
  const taken = { ...options, dir: join(dir, 'second') };
  await expect(openMesh(taken)).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringMatching(/^cannot start the mesh node on 127\.0\.0\.1:\d+: .*/),
  });
  expect(mesh.state()).toBe('running');
});

test('closing ends the node', async () => {
  const pid = Number(readFileSync(join(dir, 'node', 'node.pid'), 'utf8'));
  await mesh.close();
  expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  mesh = await openMesh(options);
});
