// Reading, putting aside, packing: on files of a private directory, with no web server.
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeHost } from '../host/fake.ts';
import { openSiteBook, type SiteBook } from '../site-book.ts';
import { SERVER_ID, SITE_ID } from '../testing/requests.ts';
import { accessLogs, asideName, parseAside } from './log-names.ts';
import { packLogs } from './pack.ts';
import { readLogs } from './read-logs.ts';
import { rotateLogs } from './rotate.ts';
import { createUsageTable, MEASURED, type UsageTable } from './usage-table.ts';

const DAY = 86_400_000;
const days = { first: '2026-10-01', last: '2026-12-01' };
let dir = '';
let logs = '';
let log = '';
let book: SiteBook;
let table: UsageTable;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-usage-'));
  logs = join(dir, 'logs', SITE_ID);
  mkdirSync(logs, { recursive: true });
  log = join(logs, 'access.log');
  book = openSiteBook(join(dir, 'state'), SERVER_ID);
  table = createUsageTable(book);
});
afterEach(() => {
  book.close();
  rmSync(dir, { recursive: true, force: true });
});

const line = (bytes: number, day = 23) =>
  `192.0.2.7 - - [${day}/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 ${bytes} "-" "x"\n`;
const look = () => readLogs(SITE_ID, logs, table, days);
const sums = () => {
  const rows = table.news(1000);
  return {
    requests: rows.reduce((sum, row) => sum + row.requests, 0),
    bytes: rows.reduce((s, row) => s + row.bytes, 0),
  };
};

describe('logs', () => {
  test('are read once, and on from there, also by another agent', async () => {
    writeFileSync(log, line(1) + line(2));
    await look();
    await look();
    appendFileSync(log, line(4));
    book.close();
    book = openSiteBook(join(dir, 'state'), SERVER_ID);
    table = createUsageTable(book);
    await look();
    expect(sums()).toEqual({ requests: 3, bytes: 7 });
  });

  test('a line counts when it is whole', async () => {
    writeFileSync(log, line(1) + line(2).slice(0, 30));
    await look();
    expect(sums()).toEqual({ requests: 1, bytes: 1 });
    appendFileSync(log, line(2).slice(30));
    await look();
    expect(sums()).toEqual({ requests: 2, bytes: 3 });
  });

  test('are read on under another name, with what is still written there', async () => {
    writeFileSync(log, line(1));
    await look();
    const aside = join(logs, asideName('access.log', Date.UTC(2026, 10, 24)));
    renameSync(log, aside);
    appendFileSync(aside, line(2));
    writeFileSync(log, line(4));
    await look();
    appendFileSync(aside, line(8));
    await look();
    expect(sums()).toEqual({ requests: 4, bytes: 15 });
  });

  test('one that was cut, or is another with the same inode, is read from its start', async () => {
    writeFileSync(log, line(1) + line(2));
    await look();
    truncateSync(log, 0);
    appendFileSync(log, line(4));
    await look();
    expect(sums()).toEqual({ requests: 3, bytes: 7 });
    // Longer than before, but not the same: only its beginning tells.
    truncateSync(log, 0);
    appendFileSync(log, line(8, 22) + line(16) + line(32));
    await look();
    expect(sums()).toEqual({ requests: 6, bytes: 63 });
  });

  test('of any size, with lines that are none, and days that cannot be', async () => {
    const many = 40_000;
    writeFileSync(
      log,
      `${line(1).repeat(many)}${'x'.repeat(3 * 1024 * 1024)}\n${line(2)}${line(99).replace('2026', '1970')}`,
    );
    await look();
    expect(sums()).toEqual({ requests: many + 1, bytes: many + 2 });
  });

  test('a link that somebody put there is not followed', async () => {
    writeFileSync(join(dir, 'elsewhere'), line(1));
    symlinkSync(join(dir, 'elsewhere'), log);
    await look();
    expect(sums().requests).toBe(0);
  });

  test('are forgotten with their site, but not before its days are: it may only not be mounted', async () => {
    writeFileSync(log, line(1));
    await look();
    table.setNote(`${MEASURED}${SITE_ID}`, 1);
    table.prune('2026-10-01', new Set());
    await look();
    expect(sums()).toEqual({ requests: 1, bytes: 1 });
    table.prune('2026-12-01', new Set([SITE_ID]));
    expect(table.note(`${MEASURED}${SITE_ID}`)).toBe(1);
    await look();
    expect(sums().requests).toBe(0);
    table.prune('2026-12-01', new Set());
    expect(table.note(`${MEASURED}${SITE_ID}`)).toBeUndefined();
  });

  test('names of logs put aside order as their times, and are told from others', () => {
    const at = Date.UTC(2026, 10, 23, 0, 3, 12);
    expect(asideName('access.log', at)).toBe('access.log.20261123T000312Z');
    expect(parseAside('access.log.20261123T000312Z')).toEqual({ log: 'access.log', at, packed: false });
    expect(parseAside('php.log.20261123T000312Z.gz')).toEqual({ log: 'php.log', at, packed: true });
    for (const other of [
      'access.log',
      'access.log.1',
      'access.log.20261123T000312Z.gz.part',
      'x.log.20261123T000312Z',
    ]) {
      expect(parseAside(other)).toBeUndefined();
    }
    expect(
      accessLogs(['access.log', 'error.log', asideName('access.log', at), `${asideName('access.log', 1)}.gz`]),
    ).toEqual([asideName('access.log', at), 'access.log']);
  });
});

describe('rotation', () => {
  const host = () => {
    const fake = createFakeHost();
    return { ...fake, kind: 'embedded' as const, paths: { ...fake.paths, logs: join(dir, 'logs') } };
  };

  test('once a day, with one reload; a large one at once', async () => {
    let now = Date.UTC(2026, 10, 23, 12);
    const on = host();
    const rotate = (mostBytes = 1000) => rotateLogs([SITE_ID], { host: on, table, now: () => now, mostBytes });
    for (const name of ['access.log', 'error.log', 'php.log']) writeFileSync(join(logs, name), 'x');
    await rotate();
    now += DAY / 4;
    await rotate();
    expect(readdirSync(logs)).toHaveLength(3);
    now += DAY / 2;
    await rotate();
    expect(readdirSync(logs).filter((name) => parseAside(name) !== undefined)).toHaveLength(3);
    expect(on.acts.filter((act) => act.includes('reload'))).toEqual(['nginx reload']);
    // PHP's log cannot be made by the site's user.
    expect(on.tree.has(join(logs, 'php.log'))).toBe(true);
    writeFileSync(log, 'y'.repeat(2000));
    now += 1000;
    await rotate();
    expect(on.acts.filter((act) => act.includes('reload'))).toHaveLength(2);
    await rotate();
    expect(on.acts.filter((act) => act.includes('reload'))).toHaveLength(2);
    // The reload of before a crash is caught up with.
    table.setNote('reload-due', 1);
    await rotate();
    expect(on.acts.filter((act) => act.includes('reload'))).toHaveLength(3);
  });

  test('packs what is quiet and counted, and keeps so many days and files', async () => {
    const now = Date.UTC(2026, 10, 23, 12);
    const aside = (age: number, text: string) => {
      const path = join(logs, asideName('access.log', now - age));
      writeFileSync(path, text);
      utimesSync(path, (now - age) / 1000, (now - age) / 1000);
      return path;
    };
    const fresh = aside(1000, line(1));
    const quiet = aside(DAY, line(2));
    aside(15 * DAY, line(4));
    await packLogs(SITE_ID, logs, table, now);
    // Not counted yet, so not packed.
    expect(readdirSync(logs).sort()).toEqual([quiet, fresh].map((path) => path.slice(logs.length + 1)).sort());
    await look();
    writeFileSync(`${quiet}.gz.part`, 'half of it, of a crash');
    await packLogs(SITE_ID, logs, table, now);
    expect(readdirSync(logs).sort()).toEqual([`${quiet}.gz`, fresh].map((path) => path.slice(logs.length + 1)).sort());
    expect(gunzipSync(readFileSync(`${quiet}.gz`)).toString()).toBe(line(2));
    for (let n = 0; n < 40; n++) aside(2 * DAY + n * 60_000, line(8));
    await packLogs(SITE_ID, logs, table, now);
    expect(readdirSync(logs)).toHaveLength(30);
    // Of logrotate, by agents of before: they go in their time.
    for (const [name, age] of [
      ['access.log.1', DAY],
      ['error.log.9.gz', 15 * DAY],
      ['notes.txt', 15 * DAY],
    ] as const) {
      writeFileSync(join(logs, name), '');
      utimesSync(join(logs, name), (now - age) / 1000, (now - age) / 1000);
    }
    await packLogs(SITE_ID, logs, table, now);
    expect(readdirSync(logs).filter((name) => parseAside(name) === undefined)).toEqual(['access.log.1', 'notes.txt']);
    expect(sums()).toEqual({ requests: 2, bytes: 3 });
  });
});
