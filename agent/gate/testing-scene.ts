// A site on two servers, each a web server and PHP-FPM of its own on loopback, and the gate of an agent on the first: what
// the tests of moving are played on.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { UpstreamSpec } from '../../shared/gen/aegir/v1/spec.ts';
import { openStage, type Stage } from '../engine/conformance/http-stage.ts';
import type { HttpSiteSpec } from '../engine/engine.ts';
import { createApacheEngine } from '../engine/http/apache/engine.ts';
import { createNginxEngine } from '../engine/http/nginx/engine.ts';
import { createEmbeddedHost } from '../host/embedded/host.ts';
import { siteLayout } from '../host/site-layout.ts';
import type { GateWish } from './gates.ts';

export const SITE = 'site-0000000000000001';
export const NAME = 'one.example.org';
export type WebServer = 'nginx' | 'apache';

/** As GateFacts, with plain numbers. */
export interface Facts {
  readonly phase: string;
  readonly waiting: number;
  readonly held: number;
  readonly longestMillis: number;
  readonly forwarded: number;
  readonly refused: number;
  readonly failed: number;
}

export interface AgentProcess {
  gate(phase: GateWish['phase'], more?: Partial<GateWish>): Promise<Facts>;
  rss(): Promise<number>;
  /** As by a crash. */
  kill(): Promise<void>;
  pid(): number;
}

/** Counts what it is sent, by the id in the query: each line is a request that PHP has run. */
const POSTS = `<?php
$log = dirname(ini_get('upload_tmp_dir')) . '/private/posts';
file_put_contents($log, $_GET['id'] . ' ' . hash('sha256', file_get_contents('php://input')) . "\\n", FILE_APPEND | LOCK_EX);
if (isset($_GET['sleep'])) { usleep(1000 * (int) $_GET['sleep']); file_put_contents($log, "ended\\n", FILE_APPEND | LOCK_EX); }
echo json_encode(['posted' => $_GET['id'], 'address' => $_SERVER['REMOTE_ADDR'], 'https' => $_SERVER['HTTPS'] ?? '']);
`;

export async function openServer(server: WebServer, address: string): Promise<Stage> {
  const php = await installedPhp();
  const [port = 0, tlsPort = 0] = await freePorts(address, 2);
  const ports =
    server === 'nginx' ? { nginx: port, nginxTls: tlsPort } : { nginx: 1, apache2: port, apache2Tls: tlsPort };
  const daemon = server === 'nginx' ? 'nginx' : 'apache2';
  const stage = await openStage({
    name: server,
    daemon,
    createEngine: () => (server === 'nginx' ? createNginxEngine() : createApacheEngine()),
    startHost: (dir) =>
      createEmbeddedHost({
        ...{ dir, hostname: 'web.test', address, daemons: [daemon, `php-fpm@${php}`] },
        ports: { ...ports, mariadb: 1 },
      }),
  });
  await stage.fixture.prepareSite(SITE);
  const { docroot } = stage.fixture.php(SITE, NAME).rules;
  await writeFile(join(docroot, 'admin', 'post.php'), POSTS, { mode: 0o644 });
  return stage;
}

export function specOf(stage: Stage, change: Partial<HttpSiteSpec> = {}): HttpSiteSpec {
  const spec = stage.fixture.php(SITE, NAME, change);
  return { ...spec, php: spec.php && { ...spec.php, maxChildren: 8, maxBodyBytes: 4n * 1024n ** 3n } };
}

export function upstreamAt({ daemon }: Stage, tls = true): UpstreamSpec {
  return { address: daemon.addresses[0] ?? '', port: daemon.port, tlsPort: tls ? (daemon.tlsPort ?? 0) : 0 };
}

/** Lines that PHP has written there. */
export async function postsAt({ host }: Stage): Promise<readonly string[]> {
  const { private: directory } = siteLayout(host.paths, SITE);
  const text = await readFile(join(directory, 'posts'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

export async function startAgent({ host, daemon }: Stage): Promise<AgentProcess> {
  const user = await host.users.lookup(daemon.user);
  const { paths } = host;
  const args = [paths.state, paths.sites, paths.run, String(user?.uid ?? 0), String(user?.gid ?? 0)];
  const child: ChildProcess = fork(join(import.meta.dirname, 'testing-agent.ts'), args);
  await once(child, 'message');
  const ask = async <T>(what: object | string): Promise<T> => {
    child.send(what);
    const [answer] = (await once(child, 'message')) as [{ error?: string } & T];
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  };
  return {
    async gate(phase, more) {
      const wish = { siteId: SITE, webUser: daemon.user, upstream: undefined, maxHeld: 1000, maxHoldMillis: 60_000 };
      return (await ask<{ facts: Facts }>({ ...wish, phase, ...more })).facts;
    },
    rss: async () => (await ask<{ rss: number }>('rss')).rss,
    async kill() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
    pid: () => child.pid ?? 0,
  };
}

export async function freePorts(address: string, count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, address);
      await once(server, 'listening');
      return server;
    }),
  );
  return Promise.all(
    servers.map(async (server) => {
      const at = server.address();
      server.close();
      await once(server, 'close');
      return typeof at === 'object' && at !== null ? at.port : 0;
    }),
  );
}

async function installedPhp(): Promise<string> {
  const found = (await readdir('/usr/sbin')).flatMap((name) => /^php-fpm(\d+\.\d+)$/.exec(name)?.[1] ?? []);
  const [version] = found.sort().reverse();
  if (version === undefined) throw new Error('no PHP-FPM is installed here: apt install php-fpm');
  return version;
}
