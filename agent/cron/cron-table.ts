// The rows of cron in the agent's book: what shall run, what runs, how the last run ended.
import type { PhpSpec, PlatformSpec } from '../../shared/gen/aegir/v1/spec.ts';
import type { SiteBook } from '../site-book.ts';

/** What a run needs to know; no secrets. */
export interface CronEntry {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly platform: PlatformSpec;
  /** As SiteSpec.shared_root. */
  readonly sharedRoot: string;
  readonly php: PhpSpec | undefined;
  readonly intervalSeconds: number;
}

export type CronOutcome = 'ok' | 'idle' | 'failed' | 'timeout' | 'stopped' | 'interrupted';

export interface CronEnd {
  readonly outcome: CronOutcome;
  readonly startedAt: number;
  readonly millis: number;
  readonly text: string;
}

export interface CronRow {
  readonly entry: CronEntry;
  /** False: it does not run by itself, and only its history is kept. */
  readonly active: boolean;
  /** The last time that was taken care of, ms since 1970. */
  readonly slot: number;
  /** Names the run that is under way, or was when the agent died. */
  readonly run: string | undefined;
  readonly runStarted: number;
  readonly last: CronEnd | undefined;
  readonly failures: number;
  readonly version: number;
}

export interface CronTable {
  get(siteId: string): CronRow | undefined;
  all(): readonly CronRow[];
  /** slot: for one that is new, or has another interval. */
  put(entry: CronEntry, active: boolean, slot: number | undefined): void;
  remove(siteId: string): void;
  began(siteId: string, run: string, at: number, slot: number | undefined): void;
  /** slot: times up to it are taken care of; undefined leaves them as they are. */
  ended(siteId: string, end: CronEnd, slot: number | undefined): void;
  /** Rows that the master was not told of, oldest change first. */
  news(limit: number): readonly CronRow[];
  told(siteId: string, version: number): void;
}

const COLUMNS =
  'entry, active, slot, run, run_started, last_started, last_millis, last_outcome, last_text, failures, version';

export function createCronTable(book: SiteBook): CronTable {
  const { db } = book;
  const one = db.prepare(`SELECT ${COLUMNS} FROM cron WHERE site_id = ?`);
  const every = db.prepare(`SELECT ${COLUMNS} FROM cron ORDER BY site_id`);
  const news = db.prepare(`SELECT ${COLUMNS} FROM cron WHERE version > told ORDER BY version LIMIT ?`);
  const put = db.prepare(`INSERT INTO cron (site_id, entry, active, slot, version) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (site_id) DO UPDATE SET entry = excluded.entry, active = excluded.active, slot = excluded.slot,
      version = excluded.version`);
  const remove = db.prepare('DELETE FROM cron WHERE site_id = ?');
  const begin = db.prepare('UPDATE cron SET run = ?, run_started = ?, slot = coalesce(?, slot) WHERE site_id = ?');
  const end = db.prepare(`UPDATE cron SET run = NULL, run_started = NULL, last_started = ?, last_millis = ?,
    last_outcome = ?, last_text = ?, failures = ?, slot = max(slot, ?), version = ? WHERE site_id = ?`);
  const told = db.prepare('UPDATE cron SET told = max(told, ?) WHERE site_id = ?');
  const get = (siteId: string) => {
    const row = one.get(siteId);
    return row && decode(row);
  };
  return {
    get,
    all: () => every.all().map(decode),
    put: (entry, active, slot) =>
      book.write('note the cron of a site', () => {
        const kept = slot ?? get(entry.id)?.slot ?? 0;
        put.run(entry.id, JSON.stringify(entry, bigints), active ? 1 : 0, kept, book.nextVersion());
      }),
    remove: (siteId) => book.write('forget the cron of a site', () => void remove.run(siteId)),
    began: (siteId, run, at, slot) =>
      book.write('note the start of a cron run', () => void begin.run(run, at, slot ?? null, siteId)),
    ended: (siteId, { outcome, startedAt, millis, text }, slot) =>
      book.write('note the end of a cron run', () => {
        const before = get(siteId)?.failures ?? 0;
        // Stopped by a change of the site, or by a crash of the agent: neither is the site's fault, nor a good run.
        const failures = outcome === 'ok' || outcome === 'idle' ? 0 : before + (isFailure(outcome) ? 1 : 0);
        end.run(startedAt, millis, outcome, text, failures, slot ?? 0, book.nextVersion(), siteId);
      }),
    news: (limit) => news.all(limit).map(decode),
    told: (siteId, version) => void told.run(version, siteId),
  };
}

export function isFailure(outcome: CronOutcome | undefined): boolean {
  return outcome === 'failed' || outcome === 'timeout';
}

function decode(row: Record<string, unknown>): CronRow {
  const lastStarted = row['last_started'];
  const entry = JSON.parse(String(row['entry']), unbigints) as CronEntry;
  return {
    // JSON leaves out what is undefined.
    entry: { ...entry, php: entry.php },
    active: row['active'] === 1,
    slot: Number(row['slot']),
    run: row['run'] === null ? undefined : String(row['run']),
    runStarted: Number(row['run_started'] ?? 0),
    last:
      lastStarted === null
        ? undefined
        : {
            outcome: String(row['last_outcome']) as CronOutcome,
            startedAt: Number(lastStarted),
            millis: Number(row['last_millis']),
            text: String(row['last_text']),
          },
    failures: Number(row['failures']),
    version: Number(row['version']),
  };
}

const BIGINT = /^(\d{1,20})n$/;

function bigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}

/** Only PhpSpec has such values; no other text of an entry has that form. */
function unbigints(_key: string, value: unknown): unknown {
  const digits = typeof value === 'string' ? BIGINT.exec(value)?.[1] : undefined;
  return digits === undefined ? value : BigInt(digits);
}
