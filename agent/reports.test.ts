import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SiteReports } from '../shared/gen/aegir/v1/agent.ts';
import { createCronTable } from './cron/cron-table.ts';
import { createReports, type Reports } from './reports.ts';
import { openSiteBook, type SiteBook } from './site-book.ts';
import { SERVER_ID } from './testing/requests.ts';
import { createUsageTable, type UsageTable } from './usage/usage-table.ts';

const id = (n: number) => `site-${String(n).padStart(16, '0')}`;
let dir = '';
let book: SiteBook;
let usage: UsageTable;
let cron: ReturnType<typeof createCronTable>;
let reports: Reports;
let sent: SiteReports[] = [];
const boot = () => {
  book = openSiteBook(dir, SERVER_ID);
  usage = createUsageTable(book);
  cron = createCronTable(book);
  reports = createReports(book, { table: cron, nextAt: () => 9000 }, usage);
  sent = [];
};
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-reports-'));
  boot();
});
afterEach(() => {
  book.close();
  rmSync(dir, { recursive: true, force: true });
});
const open = () => reports.open((batch) => void sent.push(batch));
const taken = () => reports.taken({ batch: sent.at(-1)?.batch ?? 0n });
const plan = (n: number) =>
  cron.put(
    {
      ...{ id: id(n), name: 'x.example', url: 'http://x.example', php: undefined, intervalSeconds: 60, sharedRoot: '' },
      platform: { id: 'plat-0000000000000001', app: 'php', root: '/srv' },
    },
    true,
    0,
  );

const AT = Date.parse('2026-11-23T13:05:00Z');

describe('reports', () => {
  test('go up one batch at a time, the next when the last was taken, until all are told', () => {
    for (let n = 0; n < 250; n++) usage.measured(id(n), AT, { fileBytes: n });
    plan(1);
    open();
    expect(sent.map((batch) => [batch.cron.length, batch.usage.length])).toEqual([[1, 100]]);
    reports.poke();
    reports.taken({ batch: 999n });
    expect(sent).toHaveLength(1);
    taken();
    taken();
    taken();
    expect(sent.map((batch) => batch.usage.length)).toEqual([100, 100, 50]);
    expect(new Set(sent.flatMap((batch) => batch.usage.map(({ siteId }) => siteId))).size).toBe(250);
    reports.poke();
    expect(sent).toHaveLength(3);
  });

  test('what was not taken goes up again with the next session, and after a restart', () => {
    plan(1);
    open();
    reports.close();
    open();
    expect(sent.map((batch) => batch.cron.map(({ siteId }) => siteId))).toEqual([[id(1)], [id(1)]]);
    book.close();
    boot();
    open();
    expect(sent).toHaveLength(1);
    taken();
    book.close();
    boot();
    open();
    expect(sent).toHaveLength(0);
  });

  test('what changes while it is under way is news again', () => {
    usage.measured(id(1), AT, { fileBytes: 1 });
    open();
    usage.measured(id(1), AT, { inodes: 2 });
    taken();
    expect(sent.at(-1)?.usage).toMatchObject([{ fileBytes: 1n, inodes: 2n, logBytes: undefined }]);
    expect(sent).toHaveLength(2);
  });

  test('say how the last run ended', () => {
    plan(1);
    cron.began(id(1), 'run', 1000, 60_000);
    cron.ended(id(1), { outcome: 'failed', startedAt: 1000, millis: 5, text: 'why' }, undefined);
    open();
    expect(sent[0]?.cron).toEqual([
      {
        ...{ siteId: id(1), intervalSeconds: 60, nextAt: new Date(9000), lastStartedAt: new Date(1000) },
        ...{ lastMillis: 5n, lastOutcome: 'failed', lastText: 'why', failures: 1 },
      },
    ]);
  });
});

describe('the book', () => {
  test('is of one server: another begins anew; and of one agent', () => {
    plan(1);
    expect(() => openSiteBook(dir, SERVER_ID)).toThrow(/another agent runs on it/);
    book.close();
    book = openSiteBook(dir, 'srv-fedcba9876543210');
    expect(createCronTable(book).all()).toEqual([]);
  });
});
