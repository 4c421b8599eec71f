import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ActionContext } from '../engine/engine.ts';
import { createEngines } from '../engine/engines.ts';
import { createFakeHost } from '../host/fake.ts';
import type { DaemonName } from '../host/host.ts';
import { siteLayout } from '../host/site-layout.ts';
import { SITE_ID, serviceRef, siteSpec } from '../testing/requests.ts';
import type { Tools } from './action.ts';
import { createProbeSite } from './probe-site.ts';

let dir = '';
let server: Server;
let seen: string[] = [];
let handler: (request: IncomingMessage, response: ServerResponse) => void;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-probe-'));
  seen = [];
  server = createServer((request, response) => {
    seen.push(`${request.headers.host} ${request.url}`);
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

interface ProbeOptions {
  readonly behindFront?: boolean;
  readonly asksPassword?: boolean;
  readonly login?: { readonly user: string; readonly password: string };
  readonly url?: string;
  readonly port?: number;
  readonly signal?: AbortSignal;
  readonly daemon?: DaemonName;
  readonly engine?: string;
}

function probe(path = '/', options: ProbeOptions = {}) {
  const { daemon = 'nginx', engine = 'nginx' } = options;
  const fake = createFakeHost({
    daemons: [
      { name: daemon, addresses: ['127.0.0.1'], port: options.port ?? (server.address() as { port: number }).port },
    ],
  });
  const host = { ...fake, paths: { ...fake.paths, logs: dir } };
  mkdirSync(siteLayout(host.paths, SITE_ID).logs, { recursive: true });
  const ctx: ActionContext = {
    host,
    signal: options.signal ?? new AbortController().signal,
    failpoint: () => {},
    log: () => {},
    progress: () => {},
    message: () => {},
  };
  const site = siteSpec({ url: options.url ?? 'http://example.org:8081' });
  const request = {
    site: { ...site, platform: site.platform ?? fail() },
    service: serviceRef({ type: 'http', engine }),
    path,
    behindFront: options.behindFront ?? false,
    asksPassword: options.asksPassword ?? false,
    ...(options.login ?? { user: '', password: '' }),
  };
  return createProbeSite().run(request, ctx, { engines: createEngines() } as unknown as Tools, {
    resumed: false,
    hide: () => {},
  });
}
const fail = (): never => {
  throw new Error('the site has a platform');
};
const answer = (status: number, headers: Record<string, string> = {}, body = '') => {
  handler = (_request, response) => response.writeHead(status, headers).end(body);
};

describe('probe-site', () => {
  test("asks by the site's name and takes 2xx for an answer", async () => {
    answer(200, {}, 'hello');
    await expect(probe('/a?b=c')).resolves.toEqual({ changes: [] });
    expect(seen).toEqual(['example.org:8081 /a?b=c']);
  });

  test("asks the daemon of the service's engine, and no other", async () => {
    answer(200, {}, 'hello');
    await expect(probe('/', { daemon: 'apache2', engine: 'apache' })).resolves.toEqual({ changes: [] });
    await expect(probe('/', { daemon: 'nginx', engine: 'apache' })).rejects.toThrow(/no apache that serves sites/);
    expect(seen.length).toBe(1);
  });

  test('follows a redirect to the same site', async () => {
    handler = (request, response) => {
      if (request.url === '/') response.writeHead(302, { location: 'http://example.org:8081/install' }).end();
      else if (request.url === '/install') response.writeHead(301, { location: '/home' }).end();
      else response.end('home');
    };
    await probe();
    expect(seen.map((line) => line.split(' ')[1])).toEqual(['/', '/install', '/home']);
  });

  test.each([
    'https://example.org:8081/',
    'http://other.example/',
    'http://example.org/',
    '//[::bad',
    'javascript:alert(1)',
  ])('does not follow %s, and is content', async (location) => {
    answer(302, { location });
    await probe();
    expect(seen.length).toBe(1);
  });

  test('refuses to be led to HTTPS at the port that speaks HTTP', async () => {
    const { port } = server.address() as { port: number };
    answer(301, { location: `https://example.org:${port}/` });
    await expect(probe()).rejects.toThrow(/leads to https:\/\/example\.org:\d+, and that port speaks HTTP/);
    answer(301, { location: `https://other.example:${port}/` });
    await expect(probe()).resolves.toEqual({ changes: [] });
  });

  test('takes a question for the password of a protected site for an answer, and only then', async () => {
    answer(401, { 'www-authenticate': 'Basic realm="Restricted"' });
    await expect(probe('/', { asksPassword: true })).resolves.toEqual({ changes: [] });
    await expect(probe()).rejects.toThrow(/it answered 401/);
    answer(401);
    await expect(probe('/', { asksPassword: true })).rejects.toThrow(/it answered 401/);
  });

  test('gets in by a login, also where it is led on to, and takes no question for it as an answer', async () => {
    const login = { user: 'drill', password: 'Zm9v:bar baz' };
    const open = `Basic ${Buffer.from('drill:Zm9v:bar baz').toString('base64')}`;
    handler = ({ headers, url }, response) => {
      if (headers.authorization !== open) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else if (url === '/') response.writeHead(302, { location: '/home' }).end();
      else response.end('home');
    };
    await expect(probe('/', { login })).resolves.toEqual({ changes: [] });
    expect(seen.map((line) => line.split(' ')[1])).toEqual(['/', '/home']);
    await expect(probe('/', { login: { ...login, password: 'wrong word' } })).rejects.toThrow(/it answered 401/);
    await expect(probe()).rejects.toThrow(/it answered 401/);
  });

  test('gives up on a redirect in circles', async () => {
    answer(302, { location: '/' });
    await expect(probe()).rejects.toThrow(/redirects to itself more than 5 times/);
    expect(seen.length).toBe(6);
  });

  test("an error has the status and what the site's error log said about it", async () => {
    const log = join(siteLayout({ ...createFakeHost().paths, logs: dir }, SITE_ID).logs, 'error.log');
    mkdirSync(join(log, '..'), { recursive: true });
    appendFileSync(log, 'old trouble\n');
    handler = (_request, response) => {
      appendFileSync(log, 'PHP Fatal error: no such function\nsecond line\n');
      response.writeHead(500).end();
    };
    const error = probe();
    await expect(error).rejects.toThrow(
      'cannot open http://example.org:8081/: it answered 500; its error log says: PHP Fatal error: no such function',
    );
    await expect(error).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    answer(404);
    await expect(probe()).rejects.toThrow(/answered 404; its error log says: second line/);
  });

  test('reads no endless page to its end', async () => {
    handler = (_request, response) => {
      const chunk = Buffer.alloc(65_536);
      const more = () => {
        while (response.write(chunk));
        response.once('drain', more);
      };
      more();
    };
    await expect(probe()).resolves.toEqual({ changes: [] });
  });

  test('says when nothing listens', async () => {
    await expect(probe('/', { port: 1 })).rejects.toThrow(/nothing listens at 127.0.0.1:1/);
  });

  test('can be stopped', async () => {
    const controller = new AbortController();
    handler = () => controller.abort(new Error('stopped by the test'));
    await expect(probe('/', { signal: controller.signal })).rejects.toThrow('stopped by the test');
  });
});
