// One site, served by nginx and then by Apache, from the same files by the same PHP-FPM: every request of the suite's
// table gets the same answer from both, over HTTP and HTTPS, behind a password, and while it is down.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmbeddedHost } from '../../host/embedded/host.ts';
import type { Answer, Ask } from '../conformance/http-ask.ts';
import { REQUESTS } from '../conformance/http-requests.ts';
import { type HttpEngine, openStage, type Stage, type StageSubject } from '../conformance/http-stage.ts';
import { selfSigned } from '../conformance/http-tls.ts';
import { rows } from '../conformance/rows.ts';
import type { HttpSiteSpec } from '../engine.ts';
import { createApacheEngine } from './apache/engine.ts';
import { createNginxEngine } from './nginx/engine.ts';

const ADDRESS = '127.0.31.9';
const SITE = 'site-0000000000000001';
const NAME = 'one.example.org';
const ALIAS = 'www.one.example.org';
const PASSWORD = 'correct horse';
const credentials = `Basic ${Buffer.from(`alice:${PASSWORD}`).toString('base64')}`;

let other: Server;
const elsewhere = { address: ADDRESS, port: 0, tlsPort: 0 };
let nginx: Stage;
let apache: Stage;

beforeAll(async () => {
  const subject = (name: 'nginx' | 'apache', createEngine: () => HttpEngine, startHost: StageSubject['startHost']) =>
    openStage({ name, daemon: name === 'nginx' ? name : 'apache2', createEngine, startHost });
  const [first = 0, second = 0, third = 0, fourth = 0] = await freePorts(4);
  const php = await installedPhp();
  nginx = await subject('nginx', createNginxEngine, async (dir) =>
    createEmbeddedHost({
      ...{ dir, hostname: 'web.test', address: ADDRESS, daemons: ['nginx', 'apache2', `php-fpm@${php}`] },
      ports: { nginx: first, nginxTls: second, apache2: third, apache2Tls: fourth, mariadb: 1 },
    }),
  );
  apache = await subject('apache', createApacheEngine, async () => nginx.host);
  await nginx.fixture.prepareSite(SITE);
  other = createHttpServer(async (request, response) => {
    let body = 0;
    for await (const chunk of request) body += (chunk as Buffer).length;
    const { method, headers } = request;
    // Apache takes several slashes at the beginning for one, whatever it is told.
    const url = request.url?.replace(/^\/+/, '/');
    const said = ['host', 'proxy', 'x-forwarded-for', 'x-forwarded-proto', 'authorization'].map(
      (name) => headers[name],
    );
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ method, url, said, body }));
  });
  other.listen(0, ADDRESS);
  await once(other, 'listening');
  const at = other.address();
  elsewhere.port = typeof at === 'object' && at !== null ? at.port : 0;
});
afterAll(async () => {
  other?.close();
  await apache?.close();
  await nginx?.close();
});

describe('nginx and Apache', () => {
  const tls = () => ({ ...selfSigned([NAME, ALIAS]), redirect: true, hstsSeconds: 31_536_000 });
  const auth = () => {
    const hash = execFileSync('openssl', ['passwd', '-6', '-stdin'], { input: `${PASSWORD}\n` });
    return { realm: 'Staff', users: [{ name: 'alice', passwordHash: hash.toString().trim() }] };
  };
  type Variant = readonly [what: string, part: () => Partial<HttpSiteSpec>, more: Partial<Ask>];
  const variants: readonly Variant[] = [
    ['over HTTP', () => ({}), {}],
    ['over HTTPS', () => ({ tls: tls() }), { tls: true }],
    ['over HTTP that leads to HTTPS', () => ({ tls: tls() }), {}],
    ['by a name that leads to another', () => ({ aliases: [ALIAS], redirectTo: ALIAS, tls: tls() }), { tls: true }],
    ['behind a password', () => ({ auth: auth() }), { headers: { authorization: credentials } }],
    ['to those without the password', () => ({ auth: auth() }), {}],
    [
      'to visitors of the server that a site has left',
      () => ({ tls: tls(), fronts: ['127.0.0.1', ADDRESS] }),
      { headers: { 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.7' } },
    ],
    ['once it has moved', () => ({ state: 'moved', upstream: elsewhere }), {}],
    ['once it has moved, over HTTPS', () => ({ state: 'moved', upstream: elsewhere, tls: tls() }), { tls: true }],
    ['while it is down', () => ({ state: 'disabled' }), {}],
  ];

  for (const [some, options] of rows(variants, 3))
    it.each([...some])('answer alike %s', options, async (_what, part, more) => {
      const spec = nginx.fixture.php(SITE, NAME, part());
      const answers = [await answersOf(nginx, spec, more), await answersOf(apache, spec, more)] as const;
      expect(Object.keys(answers[0]).length).toBeGreaterThanOrEqual(40);
      expect(answers[1]).toEqual(answers[0]);
    });
});

async function answersOf(stage: Stage, spec: HttpSiteSpec, more: Partial<Ask>): Promise<Record<string, object>> {
  await stage.apply(spec);
  const answers: Record<string, object> = {};
  for (const { method = 'GET', path, headers, body } of REQUESTS) {
    const ask = { ...more, headers: { ...headers, ...more.headers }, method, ...(body === undefined ? {} : { body }) };
    const what = `${method} ${path} ${body?.length ?? ''} ${Object.keys(headers ?? {})}`;
    answers[what] = factsOf(await stage.get(NAME, path, ask), stage);
  }
  await stage.remove(SITE, spec);
  return answers;
}

/** What visitors and the site's own code depend on. Pages of errors are each server's own. */
function factsOf({ status, headers, body }: Answer, { daemon }: Stage): object {
  const ports = [daemon.port, daemon.tlsPort].map((port) => `:${port}`);
  const to = headers['location'] === undefined ? '' : new URL(String(headers['location']), `http://${NAME}/`).href;
  const names = [
    ...['strict-transport-security', 'www-authenticate', 'vary', 'x-powered-by'],
    ...(status === 200 ? ['x-content-type-options'] : []),
    ...(status === 503 ? ['retry-after', 'cache-control'] : []),
  ];
  return {
    status,
    ...(status === 200 || status === 503 ? { body, type: String(headers['content-type']).split(';')[0] } : {}),
    location: ports.reduce((text, port) => text.replace(port, ''), to),
    headers: Object.fromEntries(names.map((name) => [name, headers[name]])),
  };
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const { promise, resolve, reject } = Promise.withResolvers<ReturnType<typeof createServer>>();
      const server = createServer().listen(0, ADDRESS, () => resolve(server));
      server.on('error', reject);
      return promise;
    }),
  );
  return Promise.all(
    servers.map((server) => {
      const { promise, resolve } = Promise.withResolvers<number>();
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
      return promise;
    }),
  );
}

async function installedPhp(): Promise<string> {
  const found = (await readdir('/usr/sbin')).flatMap((name) => /^php-fpm(\d+\.\d+)$/.exec(name)?.[1] ?? []);
  const [version] = found.sort().reverse();
  if (version === undefined) throw new Error('no PHP-FPM is installed here: apt install php-fpm');
  return version;
}
