// Transactions that somebody prepared (XA) and left: their locks outlive connections and restarts, and a database that they
// hold can be neither dropped nor emptied. The server does not tell what one is about, so they are left to who made them.
import { AegirError } from '../../../../shared/error.ts';
import type { ActionContext } from '../../engine.ts';
import type { Client } from './client.ts';
import type { Dialect } from './dialect.ts';
import { identifier, selectTables, waitingAtMost } from './sql.ts';

const MOST_NAMED = 3;
/** No longer than a visitor would wait. */
const WAIT_SECONDS = 3;
const PLAIN = /^[\p{L}\p{N}_$ .-]{1,64}$/u;
/** 'a', 'a','b' or 'a','b',7; a part with other characters as X'…'. 64 bytes of each part at most. */
const XID =
  /^(?:X'[0-9A-Fa-f]{0,128}'|'[\w.:+/-]{0,64}')(?:,(?:X'[0-9A-Fa-f]{0,128}'|'[\w.:+/-]{0,64}')){0,1}(?:,\d{1,10})?$/;

/**
 * Throws failed_precondition, with nothing touched, when there are such transactions and the tables of the database are
 * locked. Where there are none, as nearly everywhere, nothing is locked to find out.
 */
export async function requireUnprepared(
  client: Client,
  dialect: Dialect,
  database: string,
  doing: string,
  ctx: ActionContext,
): Promise<void> {
  const formatted = dialect.name === 'mariadb';
  const found = await client.query(formatted ? "XA RECOVER FORMAT='SQL';" : 'XA RECOVER;', doing, ctx.signal);
  if (found.length === 0) return;
  const tables = await client.query(selectTables(database), doing, ctx.signal);
  // A site's user may call a table what he likes: what is no plain name gets into no SQL.
  const plain = tables.flatMap(([name]) => (name !== undefined && name !== null && PLAIN.test(name) ? [name] : []));
  if (plain.length === 0) return;
  const locks = plain.map((name) => `${identifier(database)}.\`${name}\` WRITE`).join(', ');
  try {
    // Without autocommit InnoDB, which keeps what was prepared, is asked for them too. They go with the connection.
    const session = 'SET SESSION autocommit = 0, innodb_table_locks = 1;';
    await client.query(`${waitingAtMost(WAIT_SECONDS)}\n${session}\nLOCK TABLES ${locks};`, doing, ctx.signal);
  } catch (thrown) {
    if (!(thrown instanceof AegirError && /ERROR 1205/.test(String(thrown.cause)))) throw thrown;
    const xids = found.map((row) => row.at(-1) ?? '').filter((xid) => XID.test(xid));
    const more = found.length > MOST_NAMED ? ', …' : '';
    const named = xids.length === 0 ? '' : `; it is one of: ${xids.slice(0, MOST_NAMED).join(' and ')}${more}`;
    const text =
      `cannot ${doing}: its tables are locked, and somebody prepared a transaction (XA) that he did not end; only he knows ` +
      `what it is about, so end it on that server, as its administrator: ${formatted ? "XA RECOVER FORMAT='SQL'" : 'XA RECOVER CONVERT XID'} ` +
      `lists them, XA ROLLBACK xid; throws one away, XA COMMIT xid; keeps what it did${named}`;
    throw new AegirError('failed_precondition', text, { untouched: true, cause: thrown });
  }
}
