import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { App, Periodic } from '../app/app.ts';
import type { ActionContext } from '../engine/engine.ts';
import { createFakeHost } from '../host/fake.ts';
import { openSiteBook, type SiteBook } from '../site-book.ts';
import { SERVER_ID } from '../testing/requests.ts';
import { type Cron, type CronOptions, createCron } from './cron.ts';
import type { CronEntry } from './cron-table.ts';

const HOUR = 3_600_000;
const MIB = 1024n * 1024n;
const id = (n: number) => `site-${String(n).padStart(16, '0')}`;
const entry = (n: number, part: Partial<CronEntry> = {}): CronEntry => ({
  ...{ id: id(n), name: `s${n}.example.org`, url: `http://s${n}.example.org`, intervalSeconds: 3600, sharedRoot: '' },
  platform: { id: 'plat-0000000000000001', app: 'php', root: '/srv/code' },
  php: { version: '', maxChildren: 0, memoryLimitBytes: 32n * MIB, maxBodyBytes: 0n, maxExecutionSeconds: 0 },
  ...part,
});

/** An app whose runs the test lets end. */
interface Run {
  readonly site: string;
  finish(said?: string): void;
  fail(text: string): void;
  readonly ctx: ActionContext;
}

let dir = '';
let books: SiteBook[] = [];
let crons: Cron[] = [];
let at = Date.UTC(2026, 10, 23);
let runs: Run[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-cron-'));
  at = Date.UTC(2026, 10, 23);
  runs = [];
});
afterEach(async () => {
  for (const cron of crons) await cron.stop();
  for (const book of books) book.close();
  crons = [];
  books = [];
  rmSync(dir, { recursive: true, force: true });
});

const app: App & Periodic = {
  name: 'php',
  recognise: async () => undefined,
  web: (platform) => ({
    ...{ docroot: platform.root, deny: [], aliases: [], index: [] },
    php: { scripts: [], frontController: undefined, openBasedir: [] },
  }),
  prepare: async () => [],
  remove: async () => [],
  secretFiles: () => [],
  cron: (site, _layout, _run, ctx) =>
    new Promise((resolve, reject) => {
      const run: Run = {
        site: site.id,
        finish: (said = 'done') => resolve(said),
        fail: (text) => reject(new Error(text)),
        ctx,
      };
      runs.push(run);

      ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason));
    }),
};

function boot(part: Partial<CronOptions> = {}): { readonly cron: Cron; die(): void } {
  const book = openSiteBook(dir, SERVER_ID);
  books.push(book);
  const cron = createCron({
    ...{ book, host: createFakeHost(), apps: [app], log: pino({ level: 'silent' }), failpoint: () => {} },
    ...{ now: () => at, atOnce: 2, lookMs: 5 },
    ...part,
  });
  crons.push(cron);
  // Killed: nothing is told to end, and its lock on the book goes.
  const die = () => {
    crons = crons.filter((each) => each !== cron);
    books = books.filter((each) => each !== book);
    book.close();
  };
  return { cron, die };
}

const soon = (check: () => void) => vi.waitFor(check, { timeout: 2000, interval: 2 });
/** Long enough for several looks, in which nothing may happen. */
const looks = () => new Promise((resolve) => setTimeout(resolve, 40));

describe('cron', () => {
  test('runs what is due, and again an interval later', async () => {
    const { cron } = boot();
    cron.plan(entry(1));
    await cron.start(() => false);
    await looks();
    expect(runs).toHaveLength(0);
    at = cron.nextAt(cron.get(id(1)) as never) ?? 0;
    await soon(() => expect(runs).toHaveLength(1));
    runs[0]?.finish('3 things');
    await soon(() => expect(cron.get(id(1))?.last).toMatchObject({ outcome: 'ok', text: '3 things' }));
    await looks();
    expect(runs).toHaveLength(1);
    at += HOUR;
    await soon(() => expect(runs).toHaveLength(2));
  });

  test('runs once for all times that were missed, also over a restart', async () => {
    const first = boot();
    first.cron.plan(entry(1));
    await first.cron.stop();
    first.die();
    at += 10 * HOUR;
    const { cron } = boot();
    await cron.start(() => false);
    await soon(() => expect(runs).toHaveLength(1));
    runs[0]?.finish();
    await soon(() => expect(cron.get(id(1))?.run).toBeUndefined());
    await looks();
    expect(runs).toHaveLength(1);
    expect(cron.nextAt(cron.get(id(1)) as never)).toBeGreaterThan(at);
  });

  test('runs so many at once, each once', async () => {
    const { cron } = boot();
    for (let n = 1; n <= 5; n++) cron.plan(entry(n));
    at += 2 * HOUR;
    await cron.start(() => false);
    await soon(() => expect(runs).toHaveLength(2));
    at += 3 * HOUR; // due again while they run
    await looks();
    expect(runs).toHaveLength(2);
    while (runs.length < 5) {
      const before = runs.length;
      runs.at(-1)?.finish();
      await soon(() => expect(runs.length).toBeGreaterThan(before));
    }
    for (const run of runs) run.finish();
    await soon(() => expect([1, 2, 3, 4, 5].every((n) => cron.get(id(n))?.last?.outcome === 'ok')).toBe(true));
    await looks();
    expect(new Set(runs.map(({ site }) => site)).size).toBe(5);
    expect(runs).toHaveLength(5);
  });

  test('leaves a site alone that is being changed', async () => {
    const { cron } = boot();
    let busy = true;
    cron.plan(entry(1));
    cron.plan(entry(2));
    at += 2 * HOUR;
    await cron.start((siteId) => busy && siteId === id(1));
    await soon(() => expect(runs.map(({ site }) => site)).toEqual([id(2)]));
    await looks();
    expect(runs).toHaveLength(1);
    busy = false;
    await soon(() => expect(runs.map(({ site }) => site)).toEqual([id(2), id(1)]));
  });

  test('a pause ends what runs and resolves when it has; a removal forgets it', async () => {
    const { cron } = boot();
    cron.plan(entry(1));
    at += 2 * HOUR;
    await cron.start(() => false);
    await soon(() => expect(runs).toHaveLength(1));
    await cron.pause(id(1));
    expect(runs[0]?.ctx.signal.aborted).toBe(true);
    expect(cron.get(id(1))).toMatchObject({ active: false, run: undefined, last: { outcome: 'stopped' }, failures: 0 });
    at += 5 * HOUR;
    await looks();
    expect(runs).toHaveLength(1);
    cron.plan(entry(1));
    expect(cron.get(id(1))?.last?.outcome).toBe('stopped');
    await cron.remove(id(1));
    expect(cron.get(id(1))).toBeUndefined();
  });

  test('a run of an agent that was killed is interrupted, and not begun again before its time', async () => {
    const first = boot();
    first.cron.plan(entry(1));
    at += 2 * HOUR;
    await first.cron.start(() => false);
    await soon(() => expect(runs).toHaveLength(1));
    first.die();
    at += 1000;
    const { cron } = boot();
    await cron.start(() => false);
    expect(cron.get(id(1))?.last).toMatchObject({ outcome: 'interrupted' });
    await looks();
    expect(runs).toHaveLength(1);
    at += HOUR;
    await soon(() => expect(runs).toHaveLength(2));
  });

  test('counts failures until a good run, and bounds what they say', async () => {
    const { cron } = boot();
    cron.plan(entry(1));
    await cron.start(() => false);
    for (const round of [1, 2]) {
      at += HOUR;
      await soon(() => expect(runs).toHaveLength(round));
      runs.at(-1)?.fail(`cannot do it:\n\u001b[31m${'x'.repeat(5000)}`);
      await soon(() => expect(cron.get(id(1))?.failures).toBe(round));
    }
    expect(cron.get(id(1))?.last?.text.length).toBeLessThanOrEqual(2000);
    expect(cron.get(id(1))?.last?.text).not.toMatch(/[\u0000-\u001f]/);
    at += HOUR;
    await soon(() => expect(runs).toHaveLength(3));
    runs.at(-1)?.finish();
    await soon(() => expect(cron.get(id(1))?.failures).toBe(0));
  });

  test('runs by order, also where it does not run by itself; not beside itself', async () => {
    const { cron } = boot();
    await cron.start(() => false);
    const said: string[] = [];
    const ctx = { log: (_: string, text: string) => said.push(text), signal: new AbortController().signal } as never;
    const done = cron.runNow(entry(1), ctx);
    await soon(() => expect(runs).toHaveLength(1));
    await expect(cron.runNow(entry(1), ctx)).rejects.toMatchObject({ code: 'failed_precondition' });
    runs[0]?.finish();
    expect(await done).toMatchObject({ outcome: 'ok' });
    expect(cron.get(id(1))).toMatchObject({ active: false, last: { outcome: 'ok' } });
    at += 5 * HOUR;
    await looks();
    expect(runs).toHaveLength(1);
  });

  test('a stop ends what runs by itself, and leaves an order to who gave it', async () => {
    const { cron } = boot();
    cron.plan(entry(1));
    at += 2 * HOUR;
    await cron.start(() => false);
    await soon(() => expect(runs).toHaveLength(1));
    const done = cron.runNow(entry(2), { log: () => {}, signal: new AbortController().signal } as never);
    await soon(() => expect(runs).toHaveLength(2));
    await cron.stop();
    expect(runs.map(({ ctx }) => ctx.signal.aborted)).toEqual([true, false]);
    runs[1]?.finish();
    expect(await done).toMatchObject({ outcome: 'ok' });
  });

  test('keeps its entries exact, and another interval counts from now', () => {
    const { cron } = boot();
    cron.plan(entry(1));
    expect(cron.get(id(1))?.entry).toEqual(entry(1));
    cron.plan(entry(2, { php: undefined }));
    expect(cron.get(id(2))?.entry).toEqual(entry(2, { php: undefined }));
    at += 10 * HOUR;
    cron.plan(entry(1, { intervalSeconds: 60 }));
    const next = cron.nextAt(cron.get(id(1)) as never) ?? 0;
    expect(next).toBeGreaterThan(at);
    expect(next).toBeLessThanOrEqual(at + 60_000);
  });

  test('a clock that was ahead does not put it off for long', async () => {
    const { cron } = boot();
    cron.plan(entry(1));
    at -= 1000 * HOUR;
    expect((cron.nextAt(cron.get(id(1)) as never) ?? 0) - at).toBeLessThanOrEqual(HOUR);
  });
});
