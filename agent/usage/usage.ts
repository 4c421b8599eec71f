// What sites use on this host, looked at every few minutes: requests and traffic by their access logs, and, more rarely,
// the sizes of their files, logs and databases. Also the end of their logs' growth.
import { readdir } from 'node:fs/promises';
import type { Logger } from 'pino';
import { isId } from '../../shared/id.ts';
import type { ActionContext, Engine } from '../engine/engine.ts';
import type { Host } from '../host/host.ts';
import { siteLayout } from '../host/site-layout.ts';
import { createPoller, type Poller } from '../poller.ts';
import type { SiteBook } from '../site-book.ts';
import { utcDay } from './access-log.ts';
import { measureDatabases, measureFiles } from './measure.ts';
import { packLogs } from './pack.ts';
import { readLogs } from './read-logs.ts';
import { retireLogrotate, rotateLogs } from './rotate.ts';
import { createUsageTable, MEASURED, type UsageTable } from './usage-table.ts';

const EVERY_MS = 5 * 60_000;
const MEASURE_MS = 6 * 3_600_000;
/** Sites that are measured in one look. */
const MOST_MEASURED = 50;
const KEEP_MS = 45 * 86_400_000;
const DAY_MS = 86_400_000;

export interface UsageOptions {
  readonly book: SiteBook;
  readonly host: Host;
  readonly engines: readonly Engine[];
  readonly serverId: string;
  readonly log: Logger;
  readonly now: () => number;
  readonly mostLogBytes?: number;
  /** Where this server sees what all web servers of the site share; '' where it need not count that. */
  readonly sharedRootOf?: (siteId: string) => string;
  /** Told when there is news for the master. */
  readonly onNews?: () => void;
}

export interface Usage {
  readonly table: UsageTable;
  /** One look, at all sites. */
  look(): Promise<void>;
  start(): void;
  /** Looks soon, and measures sizes whether or not it is time. */
  poke(): void;
  stop(): Promise<void>;
}

export function createUsage(options: UsageOptions): Usage {
  const { host, log, now } = options;
  const table = createUsageTable(options.book);
  const stopping = new AbortController();
  const ctx: ActionContext = {
    host,
    signal: stopping.signal,
    failpoint: () => {},
    log: (level, text) => log[level](text),
    progress: () => {},
    message: () => {},
  };
  let measureNow = false;

  const each = async (sites: readonly string[], what: string, work: (siteId: string) => Promise<void>) => {
    for (const site of sites) {
      stopping.signal.throwIfAborted();
      await work(site).catch((error: unknown) => {
        stopping.signal.throwIfAborted();
        log.warn({ err: error, site }, `cannot ${what}`);
      });
    }
  };
  const isDue = (name: string, every: number) => {
    const last = table.note(name);
    return last === undefined || now() - last >= every || last > now() + every;
  };

  const measure = async (sites: readonly string[]) => {
    const all = measureNow;
    measureNow = false;
    const due = sites.filter((site) => all || isDue(`${MEASURED}${site}`, MEASURE_MS));
    await each(due.slice(0, MOST_MEASURED), 'measure the files', async (site) => {
      // Noted first: one that cannot be measured shall not be tried with every look.
      table.setNote(`${MEASURED}${site}`, now());
      const sizes = await measureFiles(site, options.sharedRootOf?.(site) ?? '', host, stopping.signal);
      table.measured(site, now(), sizes);
    });
    if (!all && !isDue(`${MEASURED}databases`, MEASURE_MS)) return;
    table.setNote(`${MEASURED}databases`, now());
    for (const [site, databaseBytes] of await measureDatabases(options.engines, options.serverId, ctx)) {
      if (isId('site', site)) table.measured(site, now(), { databaseBytes });
    }
  };

  const lookAtLogs = async (): Promise<void> => {
    const sites = await siteIds(host.paths.logs);
    const days = { first: utcDay(now() - KEEP_MS), last: utcDay(now() + DAY_MS) };
    const directory = (site: string) => siteLayout(host.paths, site).logs;
    await each(sites, 'count the requests', (site) => readLogs(site, directory(site), table, days));
    const mostBytes = options.mostLogBytes;
    await retireLogrotate(host);
    // A web server that cannot be reloaded is tried again with the next look; the rest goes on.
    await each(['all'], 'put aside the logs', () =>
      rotateLogs(sites, { host, table, now, ...(mostBytes === undefined ? {} : { mostBytes }) }),
    );
    await each(sites, 'pack the logs', (site) => packLogs(site, directory(site), table, now()));
    table.prune(days.first, new Set(sites));
    options.onNews?.();
  };
  const lookAtSizes = async (): Promise<void> => {
    const { logs, sites } = host.paths;
    await measure([...new Set([...(await siteIds(logs)), ...(await siteIds(sites))])].sort());
    options.onNews?.();
  };

  // Apart: a tree that takes for ever to measure must not keep logs from being read and put aside.
  const watches = [
    createWatch(lookAtLogs, 'look at the logs of sites'),
    createWatch(lookAtSizes, 'look at the sizes of sites'),
  ];
  return {
    table,
    async look() {
      for (const watch of watches) await watch.look();
    },
    start() {
      for (const { poller } of watches) poller.start();
    },
    poke() {
      measureNow = true;
      for (const { poller } of watches) poller.poke();
    },
    async stop() {
      for (const { poller } of watches) poller.stop();
      stopping.abort();
      for (const watch of watches) await watch.settled();
    },
  };

  function createWatch(work: () => Promise<void>, doing: string) {
    let running: Promise<void> = Promise.resolve();
    const look = () => {
      running = running.then(work, work);
      return running;
    };
    const poller: Poller = createPoller({
      intervalMs: EVERY_MS,
      work: look,
      onError: (error) => {
        if (!stopping.signal.aborted) log.warn({ err: error }, `cannot ${doing}`);
      },
    });
    return { look, poller, settled: () => running.catch(() => undefined) };
  }
}

async function siteIds(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch((thrown: unknown) => {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  });
  return names.filter((name) => isId('site', name)).sort();
}
