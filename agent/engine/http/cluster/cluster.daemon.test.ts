// The front of a cluster on a real HAProxy: what visitors get while heads come, drain, die and return; names, redirects,
// HTTPS and challenges; drift, crashes in the middle and refusals.
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterHead, ServiceRef, TlsSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import { createEmbeddedHost } from '../../../host/embedded/host.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import { waitUntil } from '../../../host/wait.ts';
import { type Ask, ask } from '../../conformance/http-ask.ts';
import { selfSigned } from '../../conformance/http-tls.ts';
import { contextOf, dieAt, summaries } from '../../conformance/interruption.ts';
import { type HttpSiteSpec, runChanges } from '../../engine.ts';
import { createClusterEngine } from './engine.ts';
import { createHead, startLoad, type TestHead } from './testing-heads.ts';

const ADDRESS = '127.0.31.41';
const SITE = 'site-0000000000000001';
const OTHER = 'site-0000000000000002';
const NAME = 'one.example.org';
const ALIAS = 'www.one.example.org';
const OTHER_NAME = 'two.example.org';
const TOKEN = 'token-of-the-authority-for-one-example-org';
const ANSWER = `${TOKEN}.${'k'.repeat(43)}`;

const service: ServiceRef = {
  ...{ id: 'svc-0000000000000001', serverId: 'srv-0000000000000001', type: 'http', engine: 'cluster', version: '' },
  ...{ instance: 'pool', settings: {}, secrets: {} },
};
const idOf = (head: TestHead) => `svc-00000000000000${head.name}`;

let dir = '';
let host: Host;
let daemon: Daemon;
let heads: readonly [TestHead, TestHead, TestHead];
const engine = createClusterEngine();

type State = 'active' | 'draining' | 'out';
const headSpec = (head: TestHead, state: State = 'active'): ClusterHead => ({
  ...{ serviceId: idOf(head), address: ADDRESS, port: head.port, state, weight: 1 },
});
const clusterOf = (...of: readonly (readonly [TestHead, State])[]) => ({
  heads: of.map(([head, state]) => headSpec(head, state)),
  ...{ checkMillis: 200, fall: 2, rise: 2 },
});
const site = (change: Partial<HttpSiteSpec> = {}): HttpSiteSpec => ({
  ...{ siteId: SITE, name: NAME, aliases: [ALIAS], app: 'static', url: `http://${NAME}`, state: 'enabled' },
  platform: { id: 'plat-0000000000000001', app: 'static', root: '/srv/site' },
  ...{ php: undefined, tls: undefined, challenges: {}, redirectTo: '', fronts: [], sticky: false, sharedRoot: '' },
  ...{ writerHead: '', frontsOnly: false, othersHeld: false },
  rules: { docroot: '/srv/site', deny: [], aliases: [], php: undefined, index: [] },
  ...change,
});
const planned = async (spec: HttpSiteSpec) => summaries(await engine.plan(service, spec, contextOf(host)));
const apply = async (spec: HttpSiteSpec) => {
  const ctx = contextOf(host);
  return runChanges(await engine.plan(service, spec, ctx), ctx);
};
const lead = async (...of: readonly (readonly [TestHead, State])[]) => {
  const ctx = contextOf(host);
  return runChanges(await engine.planCluster(service, clusterOf(...of), ctx), ctx);
};
const get = (name: string, path = '/', more: Partial<Ask> = {}) =>
  ask({
    address: ADDRESS,
    port: more.tls === true ? (daemon.tlsPort ?? 0) : daemon.port,
    ...{ host: name, path },
    ...more,
  });
const told = async (name: string, path = '/', more: Partial<Ask> = {}) =>
  JSON.parse((await get(name, path, more)).body);
const healthy = (head: TestHead, is: boolean) =>
  waitUntil(async () => {
    const { heads } = await engine.clusterStatus(service, contextOf(host));
    return heads.find(({ serviceId }) => serviceId === idOf(head))?.healthy === is;
  }, 60_000);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-front-'));
  host = await createEmbeddedHost({
    dir,
    hostname: 'front.test',
    address: ADDRESS,
    ports: { nginx: 0, mariadb: 0, haproxy: await freePort(), haproxyTls: await freePort() },
    daemons: ['haproxy'],
  });
  const found = await host.daemon('haproxy');
  if (found === undefined) throw new Error('the host has no HAProxy');
  daemon = found;
  heads = [await createHead('01', ADDRESS), await createHead('02', ADDRESS), await createHead('03', ADDRESS)];
  const ctx = contextOf(host);
  await runChanges(await engine.prepare(service, ctx), ctx);
  await lead([heads[0], 'active'], [heads[1], 'active']);
  await apply(site());
  await apply(site({ siteId: OTHER, name: OTHER_NAME, aliases: [] }));
});
afterAll(async () => {
  await host.close();
  for (const head of heads) await head.kill();
  await rm(dir, { recursive: true, force: true });
});

describe('a front', () => {
  it('is prepared, and what was applied is there', async () => {
    expect(summaries(await engine.prepare(service, contextOf(host)))).toEqual([]);
    expect(await planned(site())).toEqual([]);
    expect(await lead([heads[1], 'active'], [heads[0], 'active'])).toEqual([]);
    expect((await engine.inspect(service, contextOf(host))).map(({ siteId }) => siteId)).toEqual([SITE, OTHER]);
    expect(await engine.check(service, contextOf(host))).toMatchObject([{ level: 'ok' }]);
  });

  it('leads visitors to all heads, by any spelling of the names, and nobody to none', async () => {
    const seen = new Set<string>();
    for (let n = 0; n < 20; n++) seen.add((await told(NAME)).head);
    expect([...seen].sort()).toEqual(['01', '02']);
    for (const name of [ALIAS, NAME.toUpperCase(), `${NAME}.`, `${NAME}:8080`]) {
      expect((await told(name, '/a?b=c')).url).toBe('/a?b=c');
    }
    for (const name of ['nobody.example.org', '', `x${NAME}`, `${NAME}.evil.example`]) {
      expect([name, (await get(name)).status]).toEqual([name, 404]);
    }
  });

  it('says who the visitor is, whatever the visitor says', async () => {
    const forged = {
      'x-forwarded-for': '203.0.113.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil.example',
      'x-real-ip': '203.0.113.1',
      forwarded: 'for=203.0.113.1',
    };
    const { headers } = await told(NAME, '/', { headers: forged });
    expect(headers).toMatchObject({ host: NAME, 'x-forwarded-proto': 'http' });
    expect(headers['x-forwarded-for']).toMatch(/^127\./);
    for (const gone of ['x-forwarded-host', 'x-real-ip', 'forwarded']) expect(headers[gone]).toBeUndefined();
  });

  it('passes bodies on, and takes no method for another', async () => {
    const body = 'x'.repeat(300_000);
    expect(await told(NAME, '/form', { method: 'POST', body })).toMatchObject({ method: 'POST', body });
    expect(await told(NAME, '/', { method: 'DELETE' })).toMatchObject({ method: 'DELETE' });
  });

  it('holds visitors to a head where the app needs it, until that is out', async () => {
    await apply(site({ sticky: true }));
    const first = await get(NAME);
    const cookie = String(first.headers['set-cookie']).split(';')[0] ?? '';
    expect(String(first.headers['set-cookie'])).toMatch(/HttpOnly/);
    const { head, headers } = await told(NAME, '/', { headers: { cookie } });
    // Heads see nothing of it.
    expect(headers['cookie']).toBeUndefined();
    for (let n = 0; n < 10; n++) expect((await told(NAME, '/', { headers: { cookie } })).head).toBe(head);
    const [it, another] = head === '01' ? [heads[0], heads[1]] : [heads[1], heads[0]];
    await lead([it, 'draining'], [another, 'active']);
    expect((await told(NAME, '/', { headers: { cookie } })).head).toBe(head);
    for (let n = 0; n < 5; n++) expect((await told(NAME)).head).toBe(another.name);
    await lead([it, 'out'], [another, 'active']);
    expect((await told(NAME, '/', { headers: { cookie } })).head).toBe(another.name);
    await lead([heads[0], 'active'], [heads[1], 'active']);
    await apply(site());
    expect((await get(NAME)).headers['set-cookie']).toBeUndefined();
  });
});

describe('a site of which one head takes the writes', () => {
  const spread = { paths: ['^/'], except: ['^/admin(?:/|$)', '^/login\\.php'], cookies: ['session_'] };
  const written = (head: TestHead) =>
    site({
      writerHead: idOf(head),
      rules: { docroot: '/srv/site', deny: [], aliases: [], php: undefined, index: [], spread },
    });
  const whoGets = async (path: string, more: Partial<Ask> = {}) => {
    const seen = new Set<string>();
    for (let n = 0; n < 12; n++) seen.add((await told(NAME, path, more)).head);
    return [...seen].sort();
  };
  afterAll(() => apply(site()));

  it('has pages answered by any head', async () => {
    await lead([heads[0], 'active'], [heads[1], 'active']);
    await apply(written(heads[1]));
    expect(await planned(written(heads[1]))).toEqual([]);
    // One that was out gets requests when its checks say so.
    for (const head of [heads[0], heads[1]]) expect(await healthy(head, true)).toBe(true);
    expect(await whoGets('/')).toEqual(['01', '02']);
    expect(await whoGets('/adminer?x=/admin/', { headers: { cookie: 'a=session_1; my_session_=2' } })).toEqual([
      '01',
      '02',
    ]);
    expect(await told(OTHER_NAME, '/form', { method: 'POST' })).toMatchObject({ method: 'POST' });
  });

  it.each([
    ['a form', '/', { method: 'POST' }],
    ['another method', '/', { method: 'DELETE' }],
    ['a path that may write', '/admin/', {}],
    ['one that ends there', '/admin', {}],
    ['one with more slashes', '//admin//x', {}],
    ['one that is encoded', '/%61dmin/x', {}],
    ['one that steps up', '/x/../admin/', {}],
    ['one that steps up, encoded', '/x/%2e%2e/admin/', {}],
    ['a script', '/login.php?a=b', {}],
    ['who is logged in', '/', { headers: { cookie: 'x=1; session_abc=2' } }],
    ['who is logged in, with one cookie', '/', { headers: { cookie: 'session_abc=2' } }],
  ] as const)('leads %s to that one: %s', async (_, path, more) => {
    expect(await whoGets(path, more)).toEqual(['02']);
  });

  it('counts what that head works on', async () => {
    heads[1].slowMs = 1500;
    const asked = told(NAME, '/', { method: 'POST' });
    const requests = async () =>
      (await engine.clusterStatus(service, contextOf(host))).heads.find(({ serviceId }) => serviceId === idOf(heads[1]))
        ?.requests;
    expect(await waitUntil(async () => ((await requests()) ?? 0n) > 0n, 1400)).toBe(true);
    await asked;
    heads[1].slowMs = 0;
  });

  it('takes another one in the middle of requests, and loses none', async () => {
    const load = startLoad(ADDRESS, daemon.port, NAME, 3, { path: '/', posts: 0.5 });
    for (const head of [heads[0], heads[1], heads[0]]) await apply(written(head));
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(await whoGets('/', { method: 'POST' })).toEqual(['01']);
  });

  it('answers for no other one while that head is down, and reads go on', async () => {
    await heads[0].kill();
    await healthy(heads[0], false);
    expect((await get(NAME, '/', { method: 'POST' })).status).toBe(503);
    expect(await whoGets('/')).toEqual(['02']);
    await heads[0].revive();
    await healthy(heads[0], true);
  });
});

describe('visitors lose nothing', () => {
  it('while heads come and go and the front is loaded again and again', async () => {
    for (const head of heads) head.slowMs = 3;
    const load = startLoad(ADDRESS, daemon.port, NAME, 12);
    await waitUntil(async () => load.done > 50, 60_000);
    await lead([heads[0], 'active'], [heads[1], 'active'], [heads[2], 'active']);
    expect(await waitUntil(async () => heads[2].answered > 20, 60_000)).toBe(true);
    await lead([heads[0], 'out'], [heads[1], 'active'], [heads[2], 'active']);
    const before = heads[0].answered;
    await waitUntil(async () => load.done > 1_000, 10_000);
    expect(heads[0].answered - before).toBeLessThanOrEqual(12);
    for (let n = 0; n < 10; n++) await daemon.reload();
    await lead([heads[0], 'active'], [heads[1], 'active']);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(load.done).toBeGreaterThan(500);
    for (const head of heads) head.slowMs = 0;
  });

  it('of a head that dies, once it is found', async () => {
    const load = startLoad(ADDRESS, daemon.port, NAME, 8);
    await waitUntil(async () => load.done > 100, 5_000);
    await heads[1].kill();
    expect(await healthy(heads[1], false)).toBe(true);
    // What it had taken and not answered may be lost, at most one of each visitor.
    await load.settled();
    expect(load.failures.length).toBeLessThanOrEqual(8);
    const found = load.failures.length;
    const done = load.done;
    await waitUntil(async () => load.done > done + 300, 10_000);
    // A reload does not forget that it is down.
    await apply(site({ aliases: [] }));
    const { heads: now } = await engine.clusterStatus(service, contextOf(host));
    expect(now.find(({ serviceId }) => serviceId === idOf(heads[1]))).toMatchObject({ healthy: false });
    await waitUntil(async () => load.done > done + 600, 10_000);
    expect(load.failures.length).toBe(found);
    await heads[1].revive();
    expect(await healthy(heads[1], true)).toBe(true);
    await load.stop();
    expect(load.failures.length).toBe(found);
    await apply(site());
  });

  it('of a head that hangs, once it is found: it is told which, and why', async () => {
    heads[1].hang(true);
    try {
      expect(await healthy(heads[1], false)).toBe(true);
      const load = startLoad(ADDRESS, daemon.port, NAME, 4);
      await waitUntil(async () => load.done > 200, 10_000);
      await load.stop();
      expect(load.failures).toEqual([]);
      const findings = await engine.check(service, contextOf(host));
      expect(findings.find(({ level }) => level === 'error')?.text).toMatch(/gets no requests: .*(?:timeout|L7TOUT)/i);
    } finally {
      heads[1].hang(false);
    }
    expect(await healthy(heads[1], true)).toBe(true);
  });

  it('when PHP of one head is gone: 502 is asked of another, but for what may not be asked twice', async () => {
    const broken = await createHead('04', ADDRESS, (response) => {
      response.writeHead(502).end();
      return true;
    });
    try {
      await lead([broken, 'active'], [heads[0], 'active']);
      for (let n = 0; n < 10; n++) expect((await get(NAME)).status).toBe(200);
      const posts = await Promise.all(Array.from({ length: 10 }, () => get(NAME, '/', { method: 'POST', body: 'x' })));
      expect(posts.some(({ status }) => status === 502)).toBe(true);
    } finally {
      await lead([heads[0], 'active'], [heads[1], 'active']);
      await broken.kill();
    }
  });

  it('of connections that they keep: a head that is out is not empty while a request may still come to it', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const kept = () =>
      new Promise<string>((resolve, reject) => {
        const sent = request(
          { host: ADDRESS, port: daemon.port, path: '/', agent, headers: { host: NAME } },
          (answer) => {
            let text = '';
            answer.on('data', (part) => (text += part));
            answer.on('end', () => resolve(JSON.parse(text).head));
          },
        );
        sent.on('error', reject);
        sent.end();
      });
    await lead([heads[0], 'active']);
    expect(await healthy(heads[0], true)).toBe(true);
    expect(await kept()).toBe('01');
    await lead([heads[0], 'out'], [heads[1], 'active']);
    const requests = async () => (await engine.clusterStatus(service, contextOf(host))).heads[0]?.requests;
    expect(await requests()).toBe(1n);
    // Answered by what the connection was made to; then it is closed.
    expect(await kept()).toBe('01');
    expect(await waitUntil(async () => (await requests()) === 0n, 60_000)).toBe(true);
    expect(await kept()).toBe('02');
    agent.destroy();
    await lead([heads[0], 'active'], [heads[1], 'active']);
    expect(await healthy(heads[0], true)).toBe(true);
  });

  it('and what a head works on is counted until it is answered, though the front was loaded again', async () => {
    const { promise, resolve: answer } = Promise.withResolvers<void>();
    heads[0].holds = promise;
    await lead([heads[0], 'active']);
    const slow = told(NAME);
    const requests = async () => (await engine.clusterStatus(service, contextOf(host))).heads[0]?.requests;
    expect(await waitUntil(async () => (await requests()) === 1n, 2_000)).toBe(true);
    await lead([heads[0], 'out'], [heads[1], 'active']);
    expect(await requests()).toBe(1n);
    answer();
    expect((await slow).head).toBe('01');
    expect(await waitUntil(async () => (await requests()) === 0n, 60_000)).toBe(true);
    heads[0].holds = undefined;
    await lead([heads[0], 'active'], [heads[1], 'active']);
    expect(await healthy(heads[0], true)).toBe(true);
  });
});

describe('names and HTTPS', () => {
  let first: TlsSpec;
  let second: TlsSpec;
  beforeAll(() => {
    [first, second] = [selfSigned([NAME, ALIAS]), selfSigned([NAME, ALIAS])];
  });
  afterEach(async () => {
    await apply(site());
  });
  const serialOf = (tls: TlsSpec) => new X509Certificate(tls.certificatePem).serialNumber;
  const at = (scheme: 'http' | 'https', name: string, path: string) =>
    `${scheme}://${name}:${scheme === 'http' ? daemon.port : daemon.tlsPort}${path}`;

  it('ends TLS, says so to the heads, and renews', async () => {
    const spec = site({ tls: first });
    await apply(spec);
    expect(await planned(spec)).toEqual([]);
    const answer = await get(NAME, '/', { tls: true });
    expect([answer.status, answer.certificate]).toEqual([200, serialOf(first)]);
    expect(JSON.parse(answer.body).headers['x-forwarded-proto']).toBe('https');
    expect((await get(NAME)).status).toBe(200);
    await apply(site({ tls: second }));
    expect((await get(ALIAS, '/', { tls: true })).certificate).toBe(serialOf(second));
    const pems = await host.files.list(join(daemon.includeDir, 'tls'));
    expect(pems).toHaveLength(1);
    expect((await stat(join(daemon.includeDir, 'tls', pems[0] ?? ''))).mode & 0o777).toBe(0o600);
    await apply(site());
    await expect(get(NAME, '/', { tls: true })).rejects.toThrow();
    expect(await host.files.list(join(daemon.includeDir, 'tls'))).toEqual([]);
  });

  it('gives no certificate to names that nobody has, and no site without one', async () => {
    await apply(site({ tls: first }));
    await expect(get('nobody.example.org', '/', { tls: true })).rejects.toThrow();
    await expect(get(OTHER_NAME, '/', { tls: true })).rejects.toThrow();
  });

  it('redirects to HTTPS but for challenges, with HSTS there alone', async () => {
    const tls = { ...first, redirect: true, hstsSeconds: 63_072_000 };
    await apply(site({ tls, challenges: { [TOKEN]: ANSWER } }));
    const { status, headers } = await get(NAME, '/a/b?c=d%20e');
    expect([status, headers['location']]).toEqual([301, at('https', NAME, '/a/b?c=d%20e')]);
    expect(headers['strict-transport-security']).toBeUndefined();
    const challenge = await get(ALIAS, `/.well-known/acme-challenge/${TOKEN}`);
    expect([challenge.status, challenge.body]).toEqual([200, ANSWER]);
    const secure = await get(NAME, '/', { tls: true });
    expect(secure.headers['strict-transport-security']).toBe('max-age=63072000');
    // Challenges of one site are none of another's.
    expect((await get(OTHER_NAME, `/.well-known/acme-challenge/${TOKEN}`)).body).not.toBe(ANSWER);
  });

  it('leads all names to one', async () => {
    await apply(site({ redirectTo: NAME }));
    expect((await get(ALIAS, '/x?y')).headers['location']).toBe(at('http', NAME, '/x?y'));
    expect((await get(NAME)).status).toBe(200);
    await apply(site({ redirectTo: ALIAS, tls: first }));
    expect((await get(NAME, '/x?y', { tls: true })).headers['location']).toBe(at('https', ALIAS, '/x?y'));
    await apply(site({ redirectTo: ALIAS, tls: { ...first, redirect: true } }));
    expect((await get(NAME)).headers['location']).toBe(at('https', ALIAS, '/'));
  });

  it.each<readonly [string, Partial<HttpSiteSpec>]>([
    ['a name with a line of its own', { name: 'one.example.org\nuse_backend x' }],
    ['an alias of another site', { aliases: [OTHER_NAME] }],
    ['an answer that is more', { challenges: { [TOKEN]: 'x"; }' } }],
    ['no certificate', { tls: { certificatePem: 'x', keyPem: 'y', redirect: false, hstsSeconds: 0 } }],
  ])('refuses %s, and nothing changes', async (_what, change) => {
    await expect(planned(site(change))).rejects.toThrow(/cannot/);
    expect(await planned(site())).toEqual([]);
  });
});

describe('whatever happens', () => {
  it('mends what somebody changed by hand', async () => {
    for (const name of ['aegir.cfg', 'hosts.map', `sites/${SITE}.json`, 'backends.map']) {
      const path = join(daemon.includeDir, name);
      const good = await readFile(path, 'utf8');
      await writeFile(path, `${good}# by hand\n`);
      expect([name, (await planned(site())).length]).toEqual([name, 1]);
      await apply(site());
      expect(await readFile(path, 'utf8')).toBe(good);
      expect((await get(NAME)).status).toBe(200);
    }
    await rm(join(daemon.includeDir, 'aegir.cfg'));
    await apply(site());
    expect((await get(OTHER_NAME)).status).toBe(200);
  });

  it('keeps working when the operator broke the configuration, and says what is wrong', async () => {
    const path = join(daemon.includeDir, 'broken.cfg');
    await writeFile(path, 'frontend x\n  no such thing\n');
    await expect(apply(site({ aliases: [] }))).rejects.toThrow(
      /does not take the configuration.*no such thing|unknown keyword/s,
    );
    expect((await get(ALIAS)).status).toBe(200);
    const findings = await engine.check(service, contextOf(host));
    expect(findings.find(({ subject }) => subject === 'configuration:haproxy')).toMatchObject({ level: 'error' });
    await rm(path);
    expect(await planned(site())).toEqual([]);
  });

  it('killed anywhere, the next apply finds the way', async () => {
    for (let nth = 1; ; nth++) {
      const spec = site({ aliases: [ALIAS, `a${nth}.example.org`] });
      const point = await dieAt(nth, host, (ctx) => createClusterEngine().plan(service, spec, ctx));
      if (point === undefined) break;
      const fresh = createClusterEngine();
      const ctx = contextOf(host);
      await runChanges(await fresh.plan(service, spec, ctx), ctx);
      expect([point, summaries(await fresh.plan(service, spec, ctx))]).toEqual([point, []]);
      expect((await get(`a${nth}.example.org`)).status).toBe(200);
    }
    await apply(site());
  });

  it('removes a site, and a cluster with its sites, twice', async () => {
    const ctx = contextOf(host);
    const another: ServiceRef = { ...service, id: 'svc-0000000000000009', instance: 'another' };
    await runChanges(await engine.planCluster(another, clusterOf([heads[2], 'active']), ctx), ctx);
    const third = site({ siteId: 'site-0000000000000003', name: 'three.example.org', aliases: [] });
    await runChanges(await engine.plan(another, third, ctx), ctx);
    expect((await told('three.example.org')).head).toBe('03');

    await runChanges(await engine.remove(service, OTHER, undefined, ctx), ctx);
    expect(summaries(await engine.remove(service, OTHER, undefined, ctx))).toEqual([]);
    expect((await get(OTHER_NAME)).status).toBe(404);
    expect((await get(NAME)).status).toBe(200);

    await runChanges(await engine.removeCluster(service, ctx), ctx);
    expect(summaries(await engine.removeCluster(service, ctx))).toEqual([]);
    expect((await get(NAME)).status).toBe(404);
    expect((await told('three.example.org')).head).toBe('03');
    expect(await engine.inspect(service, ctx)).toEqual([]);
    await runChanges(await engine.removeCluster(another, ctx), ctx);
    await expect(get(NAME)).rejects.toThrow(/ECONNREFUSED/);
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().listen(0, ADDRESS, () => {
      const at = server.address();
      const port = typeof at === 'object' && at !== null ? at.port : 0;
      server.close(() => resolve(port));
    });
    server.on('error', reject);
  });
}
