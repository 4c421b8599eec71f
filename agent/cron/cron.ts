// The scheduler of the sites' cron on this host. It is the agent's own, not systemd's: embedded hosts have no systemd, and
// only the agent knows when a site is being changed. What shall run lies in the book, so that it goes on after a restart
// without the master. A run is noted before it begins: what a killed agent left is ended before anything runs again, and
// that run counts as interrupted. Times that were missed are one run.
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { AegirError } from '../../shared/error.ts';
import type { Failpoint } from '../../shared/failpoint.ts';
import type { App } from '../app/app.ts';
import type { ActionContext } from '../engine/engine.ts';
import type { Host } from '../host/host.ts';
import type { SiteBook } from '../site-book.ts';
import { type CronEnd, type CronEntry, type CronRow, createCronTable } from './cron-table.ts';
import { endLeftovers } from './leftovers.ts';
import { runCron } from './run-cron.ts';
import { slotAfter, slotUntil } from './slots.ts';

/** No run takes longer. */
const LIMIT_MS = 30 * 60_000;
/** Clocks jump; and a site that was busy is looked at again. */
const LOOK_MS = 10_000;

export interface CronOptions {
  readonly book: SiteBook;
  readonly host: Host;
  readonly apps: readonly App[];
  readonly log: Logger;
  readonly failpoint: Failpoint;
  readonly now: () => number;
  /** Runs at a time. */
  readonly atOnce: number;
  readonly limitMs?: number;
  readonly lookMs?: number;
  /** Told when there is news for the master. */
  readonly onNews?: () => void;
}

/** What actions may do with it. */
export interface CronDesk {
  get(siteId: string): CronRow | undefined;
  /** All that run by themselves. */
  active(): readonly CronRow[];
  /** From now on it runs as entry says; durable. The same entry again changes nothing. */
  plan(entry: CronEntry): void;
  /** It runs no more by itself; resolves when what runs has ended. Its history stays. */
  pause(siteId: string): Promise<void>;
  /** The same, and forgets it. */
  remove(siteId: string): Promise<void>;
  /** Runs it once, now; throws failed_precondition while it runs. */
  runNow(entry: CronEntry, ctx: ActionContext): Promise<CronEnd>;
}

export interface Cron extends CronDesk {
  readonly table: ReturnType<typeof createCronTable>;
  /** When it runs next; undefined when it does not. */
  nextAt(row: CronRow): number | undefined;
  /** busy: whether an action is at work on the site, or waits for it. */
  start(busy: (siteId: string) => boolean): Promise<void>;
  /** Starts nothing more, ends what runs by itself. */
  stop(): Promise<void>;
}

interface Running {
  /** Somebody ordered it, and ends it by the signal of the order. */
  readonly ordered: boolean;
  readonly controller: AbortController;
  readonly done: Promise<CronEnd>;
}

export function createCron(options: CronOptions): Cron {
  const { book, log, now } = options;
  const table = createCronTable(book);
  const running = new Map<string, Running>();
  let busy: (siteId: string) => boolean = () => false;
  let timer: NodeJS.Timeout | undefined;
  let started = false;

  const intervalOf = (row: CronRow) => row.entry.intervalSeconds * 1000;
  const dueAt = (row: CronRow): number | undefined =>
    row.active ? slotAfter(row.entry.id, intervalOf(row), Math.min(row.slot, now())) : undefined;
  const nextAt = (row: CronRow): number | undefined => {
    const due = dueAt(row);
    return due === undefined ? undefined : Math.max(due, now());
  };

  const begin = (
    entry: CronEntry,
    slot: number | undefined,
    outer: { signal?: AbortSignal; log: ActionContext['log'] },
  ): Running => {
    const id = randomUUID();
    const controller = new AbortController();
    const signal = outer.signal === undefined ? controller.signal : AbortSignal.any([controller.signal, outer.signal]);
    table.began(entry.id, id, now(), slot);
    options.failpoint('agent.cron.begun');
    const ctx: ActionContext = {
      host: options.host,
      signal,
      failpoint: options.failpoint,
      log: outer.log,
      progress: () => {},
      message: () => {},
    };
    const work = async (): Promise<CronEnd> => {
      const onLine = (line: string) => outer.log('info', line);
      const run = { id, entry, timeoutMs: options.limitMs ?? LIMIT_MS, now, onLine };
      const end = await runCron(run, options.apps, ctx);
      if (end.outcome !== 'ok' && end.outcome !== 'idle' && !(await endLeftovers(id))) {
        log.error({ site: entry.id }, 'cannot end all processes of a cron run');
      }
      // What became due meanwhile is done.
      table.ended(entry.id, end, slotUntil(entry.id, entry.intervalSeconds * 1000, now()));
      return end;
    };
    const done = work().finally(() => {
      running.delete(entry.id);
      options.onNews?.();
      arm(0);
    });
    const mine = { ordered: outer.signal !== undefined, controller, done };
    running.set(entry.id, mine);
    return mine;
  };

  /** By itself: nobody waits for it. */
  const runDue = (row: CronRow) => {
    const { entry } = row;
    const slot = slotUntil(entry.id, intervalOf(row), now());
    const { done } = begin(entry, slot, { log: (level, text) => log.debug({ site: entry.id, level }, text) });
    done.then(
      ({ outcome, millis, text }) =>
        log[outcome === 'ok' || outcome === 'idle' ? 'info' : 'warn'](
          { site: entry.id, outcome, millis },
          `cron: ${text}`,
        ),
      (error: unknown) => log.error({ err: error, site: entry.id }, 'cannot keep the record of a cron run'),
    );
  };

  const look = () => {
    if (!started) return;
    const rows = table
      .all()
      .flatMap((row) => {
        const due = dueAt(row);
        return due === undefined || row.run !== undefined ? [] : [{ row, due }];
      })
      .sort((a, b) => a.due - b.due);
    let next = now() + (options.lookMs ?? LOOK_MS);
    for (const { row, due } of rows) {
      if (due > now()) {
        next = Math.min(next, due);
        break;
      }
      if (running.size >= options.atOnce) break; // the end of one looks again
      if (!busy(row.entry.id)) runDue(row);
    }
    arm(next - now());
  };
  const arm = (ms: number) => {
    clearTimeout(timer);
    if (!started) return;
    timer = setTimeout(
      () => {
        try {
          look();
        } catch (error) {
          log.error({ err: error }, 'cannot run the cron of sites');
          arm(options.lookMs ?? LOOK_MS);
        }
      },
      Math.max(0, ms),
    );
  };

  const stopOne = async (siteId: string): Promise<void> => {
    const mine = running.get(siteId);
    if (mine === undefined) return;
    mine.controller.abort(new AegirError('cancelled', 'cannot finish the cron run: the site is changed'));
    await mine.done.catch(() => undefined);
  };

  /** Of a former life of the agent. */
  const recover = async (): Promise<void> => {
    for (const { entry, run, runStarted } of table.all()) {
      if (run === undefined) continue;
      if (!(await endLeftovers(run))) {
        log.error({ site: entry.id }, 'a cron run of a former agent does not end: the site has no cron until it does');
        continue;
      }
      const text = 'the agent ended while it ran';
      table.ended(entry.id, { outcome: 'interrupted', startedAt: runStarted, millis: 0, text }, undefined);
    }
  };

  return {
    table,
    nextAt,
    get: table.get,
    active: () => table.all().filter((row) => row.active),
    plan(entry) {
      const before = table.get(entry.id);
      const same = before?.active === true && before.entry.intervalSeconds === entry.intervalSeconds;
      table.put(entry, true, same ? undefined : now());
      options.onNews?.();
      arm(0);
    },
    async pause(siteId) {
      const before = table.get(siteId);
      if (before !== undefined) table.put(before.entry, false, undefined);
      await stopOne(siteId);
      options.onNews?.();
    },
    async remove(siteId) {
      const before = table.get(siteId);
      if (before !== undefined) table.put(before.entry, false, undefined);
      await stopOne(siteId);
      table.remove(siteId);
    },
    async runNow(entry, ctx) {
      const row = table.get(entry.id);
      if (running.has(entry.id) || row?.run !== undefined) {
        const since = row === undefined ? '' : ` since ${new Date(row.runStarted).toISOString()}`;
        throw new AegirError(
          'failed_precondition',
          `cannot run the cron of ${entry.name}: it runs${since}; try again when it has ended`,
        );
      }
      // Where it does not run by itself its history is kept all the same.
      if (row?.active !== true) table.put(entry, false, row === undefined ? now() : undefined);
      return begin(entry, undefined, { signal: ctx.signal, log: ctx.log }).done;
    },
    async start(isBusy) {
      busy = isBusy;
      await recover();
      started = true;
      arm(0);
    },
    async stop() {
      started = false;
      clearTimeout(timer);
      const own = [...running].filter(([, { ordered }]) => !ordered);
      await Promise.all(own.map(([siteId]) => stopOne(siteId)));
    },
  };
}
