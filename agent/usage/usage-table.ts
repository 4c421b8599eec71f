// The rows of use in the agent's book: by site and day, and how far each log was read.
import type { SiteBook } from '../site-book.ts';
import type { Traffic } from './access-log.ts';
import { utcDay } from './access-log.ts';

export interface UsageRow {
  readonly siteId: string;
  readonly day: string;
  readonly requests: number;
  readonly bytes: number;
  readonly statuses: readonly number[];
  /** undefined: not measured on that day. */
  readonly fileBytes: number | undefined;
  readonly inodes: number | undefined;
  readonly logBytes: number | undefined;
  readonly databaseBytes: number | undefined;
  /** When these were measured last, of several the oldest; milliseconds. */
  readonly measuredAt: number | undefined;
  readonly version: number;
}

export interface Sizes {
  readonly fileBytes?: number;
  readonly inodes?: number;
  readonly logBytes?: number;
  readonly databaseBytes?: number;
}

/** How far a log was read; head (digest of its first bytes) tells it from a later one that got the same inode. */
export interface ReadMark {
  readonly offset: number;
  readonly headLength: number;
  readonly head: string;
}

/** Begins the name of the note when a site was to be measured. */
export const MEASURED = 'measured:';
/** Begin the names of the notes when its files and its database had been, as the rows say. */
const SIZED = { files: 'sized:', database: 'sized-database:' } as const;

export interface UsageTable {
  mark(siteId: string, file: string): ReadMark | undefined;
  /** Counts and how far they go, at once. */
  count(siteId: string, file: string, mark: ReadMark, days: ReadonlyMap<string, Traffic>): void;
  /** Forgets how far logs were read that are there no more. */
  keepMarks(siteId: string, files: readonly string[]): void;
  /** at: milliseconds; its day (UTC) gets them. */
  measured(siteId: string, at: number, sizes: Sizes): void;
  /** Rows that the master was not told of, oldest change first. */
  news(limit: number): readonly UsageRow[];
  told(siteId: string, day: string, version: number): void;
  /** Forgets days before this one, and sites that neither are there nor have any day left. */
  prune(day: string, present: ReadonlySet<string>): void;
  /** Small numbers that outlive the agent. */
  note(name: string): number | undefined;
  setNote(name: string, value: number): void;
}

export function createUsageTable(book: SiteBook): UsageTable {
  const { db } = book;
  const mark = db.prepare('SELECT offset, head_length, head FROM log_read WHERE site_id = ? AND file = ?');
  const setMark = db.prepare(`INSERT INTO log_read (site_id, file, offset, head_length, head) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (site_id, file) DO UPDATE SET offset = excluded.offset, head_length = excluded.head_length,
      head = excluded.head`);
  const marks = db.prepare('SELECT file FROM log_read WHERE site_id = ?');
  const dropMark = db.prepare('DELETE FROM log_read WHERE site_id = ? AND file = ?');
  const add = db.prepare(`INSERT INTO usage (site_id, day, requests, bytes, s1, s2, s3, s4, s5, version)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (site_id, day) DO UPDATE SET requests = requests + excluded.requests, bytes = bytes + excluded.bytes,
      s1 = s1 + excluded.s1, s2 = s2 + excluded.s2, s3 = s3 + excluded.s3, s4 = s4 + excluded.s4, s5 = s5 + excluded.s5,
      version = excluded.version`);
  const size = db.prepare(`INSERT INTO usage (site_id, day, file_bytes, inodes, log_bytes, database_bytes, version)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (site_id, day) DO UPDATE SET file_bytes = coalesce(excluded.file_bytes, file_bytes),
      inodes = coalesce(excluded.inodes, inodes), log_bytes = coalesce(excluded.log_bytes, log_bytes),
      database_bytes = coalesce(excluded.database_bytes, database_bytes), version = excluded.version`);
  const news = db.prepare('SELECT * FROM usage WHERE version > told ORDER BY version LIMIT ?');
  const told = db.prepare('UPDATE usage SET told = max(told, ?) WHERE site_id = ? AND day = ?');
  const prune = db.prepare('DELETE FROM usage WHERE day < ?');
  const strangers = db.prepare(
    'SELECT DISTINCT site_id FROM log_read WHERE site_id NOT IN (SELECT site_id FROM usage)',
  );
  const forget = db.prepare('DELETE FROM log_read WHERE site_id = ?');
  const forgetNote = db.prepare('DELETE FROM note WHERE name = ?');
  const note = db.prepare('SELECT value FROM note WHERE name = ?');
  const setNote = db.prepare(`INSERT INTO note (name, value) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value`);
  const noted = (name: string): number | undefined => {
    const row = note.get(name);
    return row && Number(row['value']);
  };
  return {
    mark(siteId, file) {
      const row = mark.get(siteId, file);
      if (row === undefined) return undefined;
      return { offset: Number(row['offset']), headLength: Number(row['head_length']), head: String(row['head']) };
    },
    count: (siteId, file, { offset, headLength, head }, days) =>
      book.write('count requests', () => {
        for (const [day, { requests, bytes, statuses }] of days) {
          add.run(siteId, day, requests, bytes, ...statuses, book.nextVersion());
        }
        setMark.run(siteId, file, offset, headLength, head);
      }),
    keepMarks(siteId, files) {
      const gone = marks.all(siteId).flatMap(({ file }) => (files.includes(String(file)) ? [] : [String(file)]));
      if (gone.length > 0) book.write('forget logs', () => gone.forEach((file) => void dropMark.run(siteId, file)));
    },
    measured: (siteId, at, { fileBytes = null, inodes = null, logBytes = null, databaseBytes = null }) =>
      book.write('note sizes', () => {
        size.run(siteId, utcDay(at), fileBytes, inodes, logBytes, databaseBytes, book.nextVersion());
        if (fileBytes !== null) setNote.run(`${SIZED.files}${siteId}`, at);
        if (databaseBytes !== null) setNote.run(`${SIZED.database}${siteId}`, at);
      }),
    news: (limit) =>
      news.all(limit).map((cells) => {
        const row = decode(cells);
        const times = [
          row.fileBytes === undefined ? undefined : noted(`${SIZED.files}${row.siteId}`),
          row.databaseBytes === undefined ? undefined : noted(`${SIZED.database}${row.siteId}`),
        ].filter((at) => at !== undefined && utcDay(at) === row.day) as number[];
        return times.length === 0 ? row : { ...row, measuredAt: Math.min(...times) };
      }),
    told: (siteId, day, version) => void told.run(version, siteId, day),
    prune: (day, present) =>
      book.write('forget old days', () => {
        prune.run(day);
        // Not at once: what is missing may only not be mounted, and would be counted again from its start.
        for (const { site_id: site } of strangers.all()) {
          if (present.has(String(site))) continue;
          forget.run(site ?? null);
          for (const begin of [MEASURED, SIZED.files, SIZED.database]) forgetNote.run(`${begin}${site}`);
        }
      }),
    note: noted,
    setNote: (name, value) => book.write('keep a note', () => void setNote.run(name, value)),
  };
}

function decode(row: Record<string, unknown>): UsageRow {
  const number = (name: string) => Number(row[name]);
  const measured = (name: string) => (row[name] === null ? undefined : Number(row[name]));
  return {
    siteId: String(row['site_id']),
    day: String(row['day']),
    requests: number('requests'),
    bytes: number('bytes'),
    statuses: ['s1', 's2', 's3', 's4', 's5'].map(number),
    fileBytes: measured('file_bytes'),
    inodes: measured('inodes'),
    logBytes: measured('log_bytes'),
    databaseBytes: measured('database_bytes'),
    measuredAt: undefined,
    version: number('version'),
  };
}
