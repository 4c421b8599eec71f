// What the master is told of sites between tasks: how their cron ran, what they use. One batch at a time goes up and the
// next waits until it is durable there; values are absolute, and what was not taken goes up again with the next session.
import type { ReportsTaken, SiteReports } from '../shared/gen/aegir/v1/agent.ts';
import type { Cron } from './cron/cron.ts';
import type { CronRow } from './cron/cron-table.ts';
import type { SiteBook } from './site-book.ts';
import type { UsageRow, UsageTable } from './usage/usage-table.ts';

const MOST = 100; // of each kind in a batch

export interface Reports {
  /** A session is open: what the master may not have goes up by send. */
  open(send: (batch: SiteReports) => void): void;
  close(): void;
  taken(answer: ReportsTaken): void;
  /** There may be news. */
  poke(): void;
}

export function createReports(book: SiteBook, cron: Pick<Cron, 'table' | 'nextAt'>, usage: UsageTable): Reports {
  let send: ((batch: SiteReports) => void) | undefined;
  let batch = 0n;
  let under: { readonly cron: readonly CronRow[]; readonly usage: readonly UsageRow[] } | undefined;

  const next = () => {
    if (send === undefined || under !== undefined) return;
    const news = { cron: cron.table.news(MOST), usage: usage.news(MOST) };
    if (news.cron.length === 0 && news.usage.length === 0) return;
    under = news;
    batch += 1n;
    send({
      batch,
      cron: news.cron.map((row) => cronReport(row, cron.nextAt(row))),
      usage: news.usage.map(usageReport),
    });
  };

  return {
    open(to) {
      send = to;
      under = undefined;
      next();
    },
    close() {
      send = undefined;
      under = undefined;
    },
    taken(answer) {
      if (under === undefined || answer.batch !== batch) return;
      const told = under;
      book.write('note what the master was told', () => {
        for (const row of told.cron) cron.table.told(row.entry.id, row.version);
        for (const row of told.usage) usage.told(row.siteId, row.day, row.version);
      });
      under = undefined;
      next();
    },
    poke: next,
  };
}

function cronReport(
  { entry, active, last, failures }: CronRow,
  nextAt: number | undefined,
): SiteReports['cron'][number] {
  return {
    siteId: entry.id,
    intervalSeconds: active ? entry.intervalSeconds : 0,
    nextAt: nextAt === undefined ? undefined : new Date(nextAt),
    lastStartedAt: last === undefined ? undefined : new Date(last.startedAt),
    lastMillis: BigInt(Math.round(last?.millis ?? 0)),
    lastOutcome: last?.outcome ?? '',
    lastText: last?.text ?? '',
    failures,
  };
}

function usageReport(row: UsageRow): SiteReports['usage'][number] {
  const big = (value: number | undefined) => (value === undefined ? undefined : BigInt(value));
  return {
    siteId: row.siteId,
    day: row.day,
    requests: BigInt(row.requests),
    bytesSent: BigInt(row.bytes),
    statuses: row.statuses.map(BigInt),
    fileBytes: big(row.fileBytes),
    inodes: big(row.inodes),
    logBytes: big(row.logBytes),
    databaseBytes: big(row.databaseBytes),
    measuredAt: row.measuredAt === undefined ? undefined : new Date(row.measuredAt),
  };
}
