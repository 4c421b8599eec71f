// A dump that stands before somebody's lock is ended: its program would wait as long as the server lets it, a day by default
// (lock_wait_timeout), and with it everybody who waits for the store that the dump goes to.
import { setTimeout as pause } from 'node:timers/promises';
import { literal } from './sql.ts';

export interface Patience {
  /** How long the dump may stand before one lock. */
  readonly seconds: number;
  /** Between two looks. */
  readonly lookMs: number;
}

export const LOCK_PATIENCE: Patience = { seconds: 60, lookMs: 20_000 };

export interface LockWatch {
  /** A connection of the dump was ended, or is about to be. */
  ended(): boolean;
  /** Resolves when nothing of it is at work. */
  stop(): Promise<void>;
}

export type Query = (sql: string, signal: AbortSignal) => Promise<readonly (readonly (string | null)[])[]>;

/** Ends what the user asks of the database, where that waits for a lock longer than it may. What fails is tried at the next look. */
export function watchLocks(query: Query, user: string, database: string, { seconds, lookMs }: Patience): LockWatch {
  let ended = false;
  const stop = lookEvery(lookMs, async (stopped) => {
    for (const [id] of await query(selectWaiting(user, database, seconds), stopped)) {
      if (stopped.aborted) return;
      // Before: its program may be told sooner than we are.
      ended = true;
      await query(`KILL ${Number(id)};`, stopped);
    }
  });
  return { ended: () => ended, stop };
}

/** Until what it answers is called, which resolves when no look is under way. A look that fails is made anew at its time. */
export function lookEvery(lookMs: number, look: (stopped: AbortSignal) => Promise<void>): () => Promise<void> {
  const stopped = new AbortController();
  const looking = (async () => {
    while (!stopped.signal.aborted) {
      await pause(lookMs, undefined, { signal: stopped.signal }).catch(() => {});
      if (!stopped.signal.aborted) await look(stopped.signal).catch(() => {});
    }
  })();
  return async () => {
    stopped.abort();
    await looking;
  };
}

/** What mariadb-dump and mysqldump ask of a table; a person who waits there, for the dump maybe, asks otherwise. */
const DUMPS = ['SELECT /*!40001 SQL_NO_CACHE */%', 'LOCK TABLES %READ /*!32311 LOCAL */%', 'SHOW %'];

function selectWaiting(user: string, database: string, seconds: number): string {
  const asks = DUMPS.map((pattern) => `INFO LIKE ${literal(pattern)}`).join(' OR ');
  return `SELECT ID FROM information_schema.PROCESSLIST WHERE USER = ${literal(user)} AND DB = ${literal(database)}
AND STATE LIKE 'Waiting for %' AND TIME >= ${seconds} AND (${asks});`;
}
