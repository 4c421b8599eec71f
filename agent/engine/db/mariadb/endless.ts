// Events that mariadb-dump and mysqldump would never end with: they look for a delimiter that is not in the statement which
// makes the event, and where ";;" is in it they try that same one again and again.
import { AegirError } from '../../../../shared/error.ts';
import type { Dialect } from './dialect.ts';
import { lookEvery, type Query } from './lock-wait.ts';
import { literal } from './sql.ts';

/** Columns that stand in that statement as somebody wrote them. */
const WRITTEN = ['event_name', 'definer', 'event_comment', 'event_definition'];

/** Why the database cannot be dumped; undefined when it has none. */
export async function findEndless(
  query: Query,
  database: string,
  doing: string,
  dialect: Dialect,
  signal: AbortSignal,
): Promise<AegirError | undefined> {
  const rows = await query(selectEndless(database), signal);
  return rows.length === 0 ? undefined : endless(rows, doing, dialect);
}

export interface EndlessWatch {
  /** Aborted, with why, when one is there. */
  readonly signal: AbortSignal;
  /** Resolves when no look is under way. */
  stop(): Promise<void>;
}

/** One that comes while a dump is made, before that has got to events. */
export function watchEndless(
  find: (signal: AbortSignal) => Promise<AegirError | undefined>,
  lookMs: number,
): EndlessWatch {
  const found = new AbortController();
  const stop = lookEvery(lookMs, async (stopped) => {
    const why = await find(stopped);
    if (why !== undefined) found.abort(why);
  });
  return { signal: found.signal, stop };
}

/** A row with the name of each. */
function selectEndless(database: string): string {
  return `SELECT event_name FROM information_schema.events WHERE BINARY event_schema = ${literal(database)}
    AND LOCATE(';;', CONCAT_WS(' ', ${WRITTEN.join(', ')})) > 0 ORDER BY event_name;`;
}

/** A name that somebody chose is told where it is a plain one. */
function endless(rows: readonly (readonly (string | null)[])[], doing: string, { dump }: Dialect): AegirError {
  const names = rows.map(([name]) => name ?? '');
  const plain = names.find((name) => /^[\w$-]{1,64}$/.test(name));
  const more = names.length - 1;
  const which = `${plain === undefined ? 'an event' : `event ${plain}`}${more > 0 ? ` (and ${more} more)` : ''}`;
  return new AegirError(
    'failed_precondition',
    `cannot ${doing}: ${which} in it has two semicolons in a row, with which ${dump.program} does not end; write them ` +
      "apart there, as CONCAT(';', ';') does in a text, or drop that event",
  );
}
