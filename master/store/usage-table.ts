// What sites used, by site, server and day (UTC), as agents reported it: counts of a day grow, and what is told twice
// changes nothing. Requests of several servers add up; sizes do not: each server of a site has the same files.
import { type RawBuilder, sql } from 'kysely';
import type { Access } from './access.ts';
import { type Codecs, encodeRow, integer, nullable, text } from './codec.ts';
import type { UsageRecord } from './model.ts';
import type { UsageSum, UsageTable } from './store.ts';

const codecs: Codecs<UsageRecord> = {
  siteId: text(),
  serverId: text(),
  day: text(),
  requests: integer(),
  bytes: integer(),
  s1: integer(),
  s2: integer(),
  s3: integer(),
  s4: integer(),
  s5: integer(),
  fileBytes: nullable(integer()),
  inodes: nullable(integer()),
  logBytes: nullable(integer()),
  databaseBytes: nullable(integer()),
  measuredAt: nullable(integer()),
};
const COUNTS = ['requests', 'bytes', 's1', 's2', 's3', 's4', 's5'] as const;
const SIZES = ['fileBytes', 'inodes', 'logBytes', 'databaseBytes'] as const;
/** Rows in one statement: both databases bound its parameters. */
const BATCH = 200;

export function createUsageTable(access: Access): UsageTable {
  const sum = (column: (typeof COUNTS)[number]) => sql<number>`sum(${sql.ref(column)})`.as(column);
  const most = (column: (typeof SIZES)[number]) => sql<number | null>`max(${sql.ref(column)})`.as(column);
  const measured = <C extends 'fileBytes' | 'databaseBytes'>(column: C) =>
    sql<number | null>`max(case when ${sql.ref(column)} is not null then ${sql.ref('measuredAt')} end)`.as(
      `${column}At` as const,
    );
  return {
    save: (records) =>
      access.write('save what sites used', async (db) => {
        for (let from = 0; from < records.length; from += BATCH) {
          const rows = records.slice(from, from + BATCH).map((record) => encodeRow(codecs, record));
          await db
            .insertInto('usageDays')
            .values(rows as never)
            .onConflict((conflict) =>
              conflict.columns(['siteId', 'day', 'serverId']).doUpdateSet({
                ...Object.fromEntries(COUNTS.map((column) => [column, larger(column)])),
                ...Object.fromEntries([...SIZES, 'measuredAt'].map((column) => [column, newer(column)])),
              }),
            )
            .execute();
        }
      }),

    byDay: (siteId, fromDay) =>
      access.read(`read what site ${siteId} used`, async (db) => {
        const rows = await db
          .selectFrom('usageDays')
          .select(['day', ...COUNTS.map(sum), ...SIZES.map(most), measured('fileBytes'), measured('databaseBytes')])
          .where('siteId', '=', siteId)
          .where('day', '>=', fromDay)
          .groupBy('day')
          .orderBy('day', 'desc')
          .execute();
        return rows.map((row) => ({
          ...numbers(row),
          day: row.day,
          filesAt: timeOf(row.fileBytesAt),
          databaseAt: timeOf(row.databaseBytesAt),
        }));
      }),

    bySite: (fromDay) =>
      access.read('read what sites used', async (db) => {
        // The newest day on which each was measured has its sizes; "latest" is that day for one of them.
        const latest = (size: (typeof SIZES)[number]) =>
          sql<
            number | null
          >`(select max(${sql.ref(`m.${size}`)}) from usage_days m where m.site_id = u.site_id and m.day =
            (select max(l.day) from usage_days l where l.site_id = u.site_id and l.day >= ${fromDay}
              and ${sql.ref(`l.${size}`)} is not null))`.as(size);
        const rows = await db
          .selectFrom('usageDays as u')
          .select(['u.siteId', ...COUNTS.map(sum), ...SIZES.map(latest)])
          .where('u.day', '>=', fromDay)
          .groupBy('u.siteId')
          .orderBy('u.siteId')
          .execute();
        return rows.map((row) => ({ ...numbers(row), siteId: row.siteId }));
      }),

    prune: (beforeDay) =>
      access.write('forget what sites used long ago', async (db) => {
        await db.deleteFrom('usageDays').where('day', '<', beforeDay).execute();
      }),
  };
}

/** An agent that lost its memory begins a day anew: what was counted before stays. */
function larger(column: string): RawBuilder<number> {
  const [told, known] = [sql.ref(`excluded.${column}`), sql.ref(`usageDays.${column}`)];
  return sql`case when excluded.requests >= usage_days.requests then ${told} else ${known} end`;
}

function newer(column: string): RawBuilder<number> {
  return sql`coalesce(${sql.ref(`excluded.${column}`)}, ${sql.ref(`usageDays.${column}`)})`;
}

function timeOf(cell: number | null): number | null {
  return cell === null ? null : Number(cell);
}

/** PostgreSQL's sums are decimal numbers, which come as text. */
function numbers(row: object): UsageSum {
  const cells = row as Record<string, unknown>;
  const count = (column: string) => Number(cells[column] ?? 0);
  const size = (column: string) => (cells[column] === null ? null : Number(cells[column]));
  return {
    requests: count('requests'),
    bytes: count('bytes'),
    statuses: ['s1', 's2', 's3', 's4', 's5'].map(count),
    fileBytes: size('fileBytes'),
    inodes: size('inodes'),
    logBytes: size('logBytes'),
    databaseBytes: size('databaseBytes'),
  };
}
