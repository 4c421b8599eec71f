// The figures are right: what real web servers sent, counted at the client's end of the wire, is what is told; through
// rotation under load, a restart, and a kill at every transaction.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStage, type Stage } from '../engine/conformance/http-stage.ts';
import { createApacheEngine } from '../engine/http/apache/engine.ts';
import { createNginxEngine } from '../engine/http/nginx/engine.ts';
import { createEmbeddedHost } from '../host/embedded/host.ts';
import { openSiteBook, type SiteBook } from '../site-book.ts';
import { SERVER_ID, SITE_ID } from '../testing/requests.ts';
import { utcDay } from './access-log.ts';
import { createUsage, type Usage } from './usage.ts';
import { createUsageTable } from './usage-table.ts';

const ADDRESS = '127.0.31.19';
const DAY = 86_400_000;

interface Sums {
  requests: number;
  bytes: number;
  statuses: number[];
}

const nothing = (): Sums => ({ requests: 0, bytes: 0, statuses: [0, 0, 0, 0, 0] });

/** One request on a connection of its own: what came back, to the byte. */
function fetchRaw(
  stage: Stage,
  host: string,
  path: string,
): Promise<{ readonly bytes: number; readonly status: number }> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    const socket = connect({ host: ADDRESS, port: stage.daemon.port }, () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: a "b" [c] \\\r\nConnection: close\r\n\r\n`);
    });
    socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
    socket.on('error', reject);
    socket.on('end', () => {
      const all = Buffer.concat(chunks);
      resolve({ bytes: all.length, status: Number(all.toString('latin1', 9, 12)) });
    });
  });
}

describe.each([
  { name: 'nginx', daemon: 'nginx', createEngine: () => createNginxEngine(), port: 'nginx' },
  { name: 'apache', daemon: 'apache2', createEngine: () => createApacheEngine(), port: 'apache2' },
] as const)('what $name sent', ({ name, daemon, createEngine, port }) => {
  let stage: Stage;
  let dir = '';
  let book: SiteBook;
  let usage: Usage;
  let ahead = 0;
  let sharedRoot = '';
  const now = () => Date.now() + ahead;
  const boot = () => {
    book = openSiteBook(join(dir, 'state'), SERVER_ID);
    usage = createUsage({
      ...{ book, host: stage.host, engines: [], serverId: SERVER_ID, log: pino({ level: 'silent' }), now },
      sharedRootOf: () => sharedRoot,
    });
  };
  const restart = async () => {
    await usage.stop();
    book.close();
    boot();
  };
  beforeAll(async () => {
    stage = await openStage({
      ...{ name, daemon, createEngine },
      startHost: async (at) =>
        createEmbeddedHost({
          ...{ dir: at, hostname: 'web.test', address: ADDRESS },
          ports: { nginx: 0, mariadb: 0, [port]: await freePort() },
          daemons: [daemon, `php-fpm@${await installedPhp()}`],
        }),
    });
    dir = mkdtempSync(join(tmpdir(), 'aegir-usage-'));
    chmodSync(dir, 0o711); // the host's own user measures what is shared
    boot();
  });
  afterAll(async () => {
    await usage?.stop();
    book?.close();
    await stage?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  test('is told exactly: while logs are put aside under load, and after a restart', async () => {
    const spec = stage.fixture.php(SITE_ID, 'figures.test');
    await stage.fixture.prepareSite(SITE_ID);
    await stage.apply(spec);
    const sent = nothing();
    const paths = ['/', '/style.css', '/nowhere', '/index.php', '/.git/config', '/%22%5c'];
    const visit = async (path: string) => {
      const { bytes, status } = await fetchRaw(stage, spec.name, path);
      sent.requests += 1;
      sent.bytes += bytes;
      const at = Math.floor(status / 100) - 1;
      sent.statuses[at] = (sent.statuses[at] ?? 0) + 1;
    };
    for (const path of paths) await visit(path);
    await usage.look();

    // Visitors that do not wait for anybody, while three days pass and the agent starts anew.
    let done = false;
    const visitors = [1, 2, 3].map(async (n) => {
      for (let at = n; !done; at++) await visit(paths[at % paths.length] ?? '/');
    });
    for (let round = 0; round < 3; round++) {
      ahead += DAY;
      await usage.look();
      await restart();
    }
    done = true;
    await Promise.all(visitors);
    expect(sent.requests).toBeGreaterThan(100);

    const { logs } = stage.host.paths;
    const names = await readdir(join(logs, spec.siteId));
    expect(names.filter((each) => each.startsWith('access.log.'))).toHaveLength(3);
    const told = (): Sums =>
      usage.table.news(100).reduce((sum, row) => {
        sum.requests += row.requests;
        sum.bytes += row.bytes;
        for (const [at, count] of row.statuses.entries()) sum.statuses[at] = (sum.statuses[at] ?? 0) + count;
        return sum;
      }, nothing());
    // The clock of the agent is ahead, but the days are those of the web server's.
    await expect
      .poll(async () => {
        await usage.look();
        return told();
      })
      .toEqual(sent);
    await restart();
    await usage.look();
    expect(told()).toEqual(sent);
    const days = usage.table
      .news(100)
      .filter((row) => row.requests > 0)
      .map(({ day }) => day);
    expect([...new Set(days)]).toEqual([...new Set([utcDay(Date.now())])]);
  });

  test('and what its files take, links not followed', async () => {
    const spec = stage.fixture.php(SITE_ID, 'figures.test');
    const root = join(stage.host.paths.sites, spec.siteId);
    const big = join(root, 'files', 'measured');
    mkdirSync(big, { recursive: true });
    writeFileSync(join(dir, 'elsewhere'), Buffer.alloc(50_000_000, 1));
    const look = async () => {
      usage.poke();
      await usage.look();
      const row = usage.table.news(100).findLast((each) => each.fileBytes !== undefined);
      return { bytes: row?.fileBytes ?? 0, inodes: row?.inodes ?? 0, logs: row?.logBytes ?? 0 };
    };
    const before = await look();
    for (let n = 0; n < 10; n++) writeFileSync(join(big, `${n}`), Buffer.alloc(1_000_000, 7));
    await stage.host.files.link(join(dir, 'elsewhere'), join(big, 'link'));
    const after = await look();
    expect(after.inodes).toBe(before.inodes + 11);
    expect(after.bytes - before.bytes).toBeGreaterThanOrEqual(10_000_000);
    expect(after.bytes - before.bytes).toBeLessThan(10_200_000);
    expect(after.logs).toBeGreaterThan(0);
    // What all web servers of the site share counts where it is to.
    sharedRoot = join(dir, 'shared');
    mkdirSync(join(sharedRoot, spec.siteId, 'files'), { recursive: true });
    writeFileSync(join(sharedRoot, spec.siteId, 'files', 'common'), Buffer.alloc(3_000_000, 1));
    const common = await look();
    expect(common.inodes).toBe(after.inodes + 3);
    expect(common.bytes - after.bytes).toBeGreaterThanOrEqual(3_000_000);
    expect(common.bytes - after.bytes).toBeLessThan(3_100_000);
  });
});

test('a kill at every transaction neither loses a line nor counts one twice', () => {
  const dir = mkdtempSync(join(tmpdir(), 'aegir-usage-'));
  try {
    const logs = join(dir, 'logs');
    mkdirSync(logs);
    const line = (n: number) => `192.0.2.7 - - [23/Nov/2026:12:00:00 +0000] "GET /${n} HTTP/1.1" 200 ${n} "-" "x"\n`;
    const many = 40_000; // several pieces of each of two files
    const lines = Array.from({ length: many }, (_, n) => line(n));
    writeFileSync(join(logs, 'access.log.20261123T000000Z'), lines.slice(0, many / 2).join(''));
    writeFileSync(join(logs, 'access.log'), lines.slice(many / 2).join(''));
    const reader = new URL('testing-reader.ts', import.meta.url).pathname;
    const read = (state: string, ...how: readonly string[]) =>
      spawnSync(process.execPath, [reader, state, SITE_ID, logs, ...how]).signal;
    for (const when of ['before', 'after']) {
      const state = join(dir, when);
      // Each life does some more and dies a transaction later than the one before; the last one lives.
      let lives = 0;
      while (read(state, when, when === 'before' ? `${lives + 1}` : '1') === 'SIGKILL') lives += 1;
      expect(lives).toBeGreaterThan(1);
      const book = openSiteBook(state, SERVER_ID);
      const rows = createUsageTable(book).news(10);
      book.close();
      expect(rows.map(({ requests, bytes }) => ({ requests, bytes }))).toEqual([
        { requests: many, bytes: (many * (many - 1)) / 2 },
      ]);
    }
    expect(readdirSync(logs)).toHaveLength(2);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().listen(0, ADDRESS, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
    server.on('error', reject);
  });
}

async function installedPhp(): Promise<string> {
  const found = (await readdir('/usr/sbin')).flatMap((name) => /^php-fpm(\d+\.\d+)$/.exec(name)?.[1] ?? []);
  const [version] = found.sort().reverse();
  if (version === undefined) throw new Error('no PHP-FPM is installed here: apt install php-fpm');
  return version;
}
