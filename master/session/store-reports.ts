// Puts what an agent reports of sites into the store: bounded and formed, of its own sites alone, absolute values.
import { AegirError } from '../../shared/error.ts';
import type { CronReport, SiteReports, UsageReport } from '../../shared/gen/aegir/v1/agent.ts';
import { isId } from '../../shared/id.ts';
import { MAX_CRON_SECONDS } from '../../shared/vocabulary.ts';
import type { CronRecord, UsageRecord } from '../store/model.ts';
import type { Store, Tx } from '../store/store.ts';

const MOST = 200;
const MAX_TEXT = 2000;
const KEEP_DAYS = 400;
const DAY_MS = 86_400_000;
const OUTCOMES = ['', 'ok', 'idle', 'failed', 'timeout', 'stopped', 'interrupted'];

export interface ReportDeps {
  readonly store: Store;
  now(): number;
}

/** Durable when it resolves. Of sites that are not on the server nothing is kept. */
export async function storeReports(deps: ReportDeps, serverId: string, reports: SiteReports): Promise<void> {
  for (const list of [reports.cron, reports.usage]) {
    if (list.length > MOST) {
      throw new AegirError('invalid_argument', `cannot take the reports: there are more than ${MOST} of a kind`);
    }
  }
  const today = deps.now();
  const days = { first: dayOf(today - (KEEP_DAYS - 1) * DAY_MS), last: dayOf(today + DAY_MS) };
  await deps.store.transaction(async (tx) => {
    const own = await sitesOf(tx, serverId, [...reports.cron, ...reports.usage]);
    for (const report of reports.cron) if (own.has(report.siteId)) await saveCron(tx, cronRecord(serverId, report));
    const usage = reports.usage.filter(({ siteId, day }) => own.has(siteId) && day >= days.first && day <= days.last);
    await tx.usage.save(distinct(usage.flatMap((report) => usageRecord(serverId, report) ?? [])));
  });
}

/** Once a day is enough. */
export function createPruning(deps: ReportDeps): () => Promise<void> {
  let pruned = '';
  return async () => {
    const today = dayOf(deps.now());
    if (today === pruned) return;
    await deps.store.usage.prune(dayOf(deps.now() - (KEEP_DAYS - 1) * DAY_MS));
    pruned = today;
  };
}

async function sitesOf(
  tx: Tx,
  serverId: string,
  reports: readonly { readonly siteId: string }[],
): Promise<Set<string>> {
  const services = new Set((await tx.services.find({ serverId })).map(({ id }) => id));
  // A site of a cluster is bound to its front, and is on the heads behind it.
  for (const head of await tx.heads.find()) if (services.has(head.serviceId)) services.add(head.clusterId);
  const own = new Set<string>();
  for (const siteId of new Set(reports.map((report) => report.siteId))) {
    const site = isId('site', siteId) ? await tx.sites.get(siteId) : undefined;
    if (site !== undefined && Object.values(site.bindings).some((id) => services.has(id))) own.add(siteId);
  }
  return own;
}

async function saveCron(tx: Tx, record: CronRecord): Promise<void> {
  const { id, ...values } = record;
  if ((await tx.crons.get(id)) === undefined) await tx.crons.insert(record);
  else await tx.crons.update(id, values);
}

function cronRecord(serverId: string, report: CronReport): CronRecord {
  return {
    id: `${report.siteId}/${serverId}`,
    siteId: report.siteId,
    serverId,
    intervalSeconds: Math.min(report.intervalSeconds, MAX_CRON_SECONDS),
    nextAt: time(report.nextAt),
    lastStartedAt: time(report.lastStartedAt),
    lastMillis: count(report.lastMillis),
    lastOutcome: OUTCOMES.includes(report.lastOutcome) ? report.lastOutcome : 'failed',
    lastText: report.lastText
      .slice(0, MAX_TEXT)
      .replace(/\p{Cc}/gu, ' ')
      .toWellFormed(),
    failures: report.failures,
  };
}

/** undefined for a day that is none. */
function usageRecord(serverId: string, report: UsageReport): UsageRecord | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(report.day)) return undefined;
  const [s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0] = report.statuses.slice(0, 5).map(count);
  const size = (value: bigint | undefined) => (value === undefined ? null : count(value));
  return {
    ...{ siteId: report.siteId, serverId, day: report.day },
    ...{ requests: count(report.requests), bytes: count(report.bytesSent), s1, s2, s3, s4, s5 },
    ...{ fileBytes: size(report.fileBytes), inodes: size(report.inodes), logBytes: size(report.logBytes) },
    databaseBytes: size(report.databaseBytes),
    measuredAt: time(report.measuredAt),
  };
}

/** One statement must not write a row twice; the last word stands. */
function distinct(records: readonly UsageRecord[]): readonly UsageRecord[] {
  return [...new Map(records.map((record) => [`${record.siteId} ${record.day}`, record])).values()];
}

/** Sums of many of them still are whole numbers. */
function count(value: bigint): number {
  return Number(value > 1n << 45n ? 1n << 45n : value);
}

function time(at: Date | undefined): number | null {
  const ms = at?.getTime();
  return ms === undefined || Number.isNaN(ms) ? null : Math.min(Math.max(0, ms), 8.64e15);
}

function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
