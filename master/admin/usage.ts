// What sites used, and how their cron stands: read from what agents reported.
import { AegirError } from '../../shared/error.ts';
import type {
  GetUsageRequest,
  GetUsageResponse,
  SiteCron,
  SiteUsage,
  UsageDay,
} from '../../shared/gen/aegir/v1/admin.ts';
import { cronSeconds } from '../graph/cron.ts';
import type { Graph } from '../graph/graph.ts';
import type { CronRecord, SiteRecord } from '../store/model.ts';
import type { BackupPartName } from '../store/model-backup.ts';
import type { UsageSum } from '../store/store.ts';
import type { AdminDeps } from './deps.ts';
import { loadGraph } from './load.ts';
import { findSite } from './site.ts';
import { lastRestore } from './site-restores.ts';

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 30;
const MOST_DAYS = 400;

export async function getUsage(deps: AdminDeps, request: GetUsageRequest): Promise<GetUsageResponse> {
  const days = request.days === 0 ? DEFAULT_DAYS : request.days;
  if (days > MOST_DAYS) {
    throw new AegirError('invalid_argument', `cannot tell what sites used in ${days} days: ${MOST_DAYS} are kept`);
  }
  const graph = await loadGraph(deps.store);
  const from = firstDay(deps.now(), days);
  if (request.site !== '') {
    const site = findSite(graph, request.site);
    const rows = await deps.store.usage.byDay(site.id, from);
    return { sites: [summed(site, days, rows)], days: rows.map(dayView) };
  }
  const sums = new Map((await deps.store.usage.bySite(from)).map((sum) => [sum.siteId, sum]));
  const sites = graph.sites.map((site) => view(site, days, sums.get(site.id) ?? NOTHING));
  return { sites: sites.sort((a, b) => Number(b.bytesSent - a.bytesSent) || a.site.localeCompare(b.site)), days: [] };
}

/** undefined before anything is known. What was restored is as large as its backup until that is measured. */
export async function usageOf(deps: AdminDeps, site: SiteRecord): Promise<SiteUsage | undefined> {
  const rows = await deps.store.usage.byDay(site.id, firstDay(deps.now(), DEFAULT_DAYS));
  const restore = await lastRestore(deps.store, site.id);
  if (rows.length === 0 && restore?.backup === undefined) return undefined;
  const used = summed(site, DEFAULT_DAYS, rows);
  if (restore === undefined) return used;
  const measured = (at: 'filesAt' | 'databaseAt') => rows.some((row) => (row[at] ?? Date.parse(row.day)) > restore.at);
  const part = (name: BackupPartName) => restore.backup?.parts.find((each) => each.part === name);
  const [files, database] = [part('files'), part('database')];
  return {
    ...used,
    ...(measured('filesAt') ? {} : { fileBytes: amount(files?.bytes), inodes: amount(files?.entries) }),
    ...(measured('databaseAt') ? {} : { databaseBytes: amount(database?.bytes) }),
  };
}

/** As the server says on which it runs, or ran last. */
export async function cronOf(deps: AdminDeps, graph: Graph, site: SiteRecord): Promise<SiteCron> {
  const rows = await deps.store.crons.find({ siteId: site.id });
  const [row] = [...rows].sort(
    (a, b) => Number(b.intervalSeconds > 0) - Number(a.intervalSeconds > 0) || startOf(b) - startOf(a),
  );
  const seconds = cronSeconds(site, graph.platform(site.platformId));
  const runs = row !== undefined && row.intervalSeconds > 0;
  return {
    intervalSeconds: seconds,
    byDefault: site.cronSeconds === null,
    server: runs ? (graph.servers.find(({ id }) => id === row.serverId)?.name ?? '') : '',
    nextAt: runs && row.nextAt !== null ? new Date(row.nextAt) : undefined,
    lastStartedAt: row === undefined || row.lastStartedAt === null ? undefined : new Date(row.lastStartedAt),
    lastMillis: BigInt(row?.lastMillis ?? 0),
    lastOutcome: row?.lastOutcome ?? '',
    lastText: row?.lastText ?? '',
    failures: row?.failures ?? 0,
  };
}

const NOTHING: UsageSum = {
  ...{ requests: 0, bytes: 0, statuses: [0, 0, 0, 0, 0] },
  ...{ fileBytes: null, inodes: null, logBytes: null, databaseBytes: null },
};

/** Newest first: the first that has a size has the newest. */
function summed(site: SiteRecord, days: number, rows: readonly UsageSum[]): SiteUsage {
  const add = (value: (row: UsageSum) => number) => rows.reduce((sum, row) => sum + value(row), 0);
  const newest = (value: (row: UsageSum) => number | null) => rows.map(value).find((size) => size !== null) ?? null;
  return view(site, days, {
    requests: add((row) => row.requests),
    bytes: add((row) => row.bytes),
    statuses: NOTHING.statuses.map((_, at) => add((row) => row.statuses[at] ?? 0)),
    fileBytes: newest((row) => row.fileBytes),
    inodes: newest((row) => row.inodes),
    logBytes: newest((row) => row.logBytes),
    databaseBytes: newest((row) => row.databaseBytes),
  });
}

function view(site: SiteRecord, days: number, sum: UsageSum): SiteUsage {
  return { siteId: site.id, site: site.name, days, ...values(sum) };
}

function dayView(row: UsageSum & { readonly day: string }): UsageDay {
  return { day: row.day, ...values(row) };
}

function values(sum: UsageSum) {
  return {
    requests: BigInt(sum.requests),
    bytesSent: BigInt(sum.bytes),
    statuses: sum.statuses.map(BigInt),
    fileBytes: amount(sum.fileBytes),
    inodes: amount(sum.inodes),
    logBytes: amount(sum.logBytes),
    databaseBytes: amount(sum.databaseBytes),
  };
}

function amount(value: number | null | undefined): bigint | undefined {
  return value === null || value === undefined ? undefined : BigInt(value);
}

function startOf({ lastStartedAt }: CronRecord): number {
  return lastStartedAt ?? 0;
}

function firstDay(now: number, days: number): string {
  return new Date(now - (days - 1) * DAY_MS).toISOString().slice(0, 10);
}
