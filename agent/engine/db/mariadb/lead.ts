// A database that is followed by the binary log: whether it can be, where the log ends, and what changed since a place in it.
// The log is read from its files, so that nobody needs leave to read it over the network.
import { AegirError } from '../../../../shared/error.ts';
import type { ActionContext, ChangeFacts } from '../../engine.ts';
import { isAtLeast, type Place, placeOf } from './binlog-place.ts';
import { encodeFrame, HEAD } from './change-frame.ts';
import { createChangesOf } from './changes-of.ts';
import type { Client } from './client.ts';
import { type Log, readLog } from './read-log.ts';
import { literal, MOST_KEYLESS_ROWS, selectDumpable, selectKeyless } from './sql.ts';

/** A row of SHOW MASTER STATUS. */
type Status = Awaited<ReturnType<Client['table']>>[number];

/** FILE:POSITION of the log's end. Throws failed_precondition, with why, when the database cannot be followed. */
export async function endOfLog(client: Client, database: string, ctx: ActionContext): Promise<string> {
  const doing = `let another server follow database ${database}`;
  // Before it is judged: what comes after the end that is told stands in nobody's way, and is looked at all the same.
  const [status] = await client.table('SHOW MASTER STATUS;', doing, ctx.signal);
  const why = await obstacle(client, database, status, doing, ctx);
  if (why !== undefined) throw new AegirError('failed_precondition', `cannot ${doing}: ${why}`, { untouched: true });
  return `${status?.['File'] ?? ''}:${status?.['Position'] ?? ''}`;
}

/** Frames (change-frame.ts). tell is called once, before the last. Throws failed_precondition when they cannot be had. */
export async function* readChanges(
  client: Client,
  database: string,
  position: string,
  ctx: ActionContext,
  tell: (facts: ChangeFacts) => void,
): AsyncGenerator<Uint8Array> {
  const doing = `read what changed in database ${database}`;
  const from = placeOf(position);
  if (from === undefined) {
    const why = `cannot ${doing}: its dump does not tell where the binary log was`;
    throw new AegirError('failed_precondition', why, { untouched: true });
  }
  const end = await endOfLog(client, database, ctx);
  if (!isAtLeast(end, position)) {
    const why = `cannot ${doing}: its binary log was begun anew; make the copy anew`;
    throw new AegirError('failed_precondition', why, { untouched: true });
  }
  const log = await logOf(client, doing, ctx);
  const changes = createChangesOf(database);
  let last = from.file;
  yield HEAD;
  for await (const event of eventsOf(log, from, placeOf(end) ?? from, doing)) {
    ctx.signal.throwIfAborted();
    const [file = ''] = event.at.split(':');
    if (file !== last) changes.rest();
    last = file;
    for (const frame of changes.take(event)) yield encodeFrame(frame);
  }
  changes.rest();
  tell({ position: end, transactions: changes.count() });
  yield encodeFrame({ kind: 'end', at: end });
}

/** Whatever is wrong with the log, a copy does not need it. */
async function* eventsOf(log: Log, from: Place, to: Place, doing: string): ReturnType<typeof readLog> {
  try {
    yield* readLog(log, from, to);
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown;
    const why = thrown instanceof AegirError ? thrown.message.replace(/^cannot read /, '') : 'its files are not read';
    const text = `cannot ${doing}: the binary log could not be read: ${why}; make the copy anew`;
    throw new AegirError('failed_precondition', text, { untouched: true, cause: thrown });
  }
}

async function logOf(client: Client, doing: string, ctx: ActionContext): Promise<Log> {
  const rows = await client.query('SELECT @@log_bin_basename;\nSHOW BINARY LOGS;', doing, ctx.signal);
  const [[base], ...files] = rows as [readonly (string | null)[], ...(readonly (string | null)[])[]];
  return { base: base ?? '', files: files.map(([file]) => file ?? '') };
}

/** Why it cannot be followed, and what to do about it. */
async function obstacle(
  client: Client,
  database: string,
  status: Status | undefined,
  doing: string,
  ctx: ActionContext,
): Promise<string | undefined> {
  const sql = `SELECT @@log_bin, @@binlog_format,
  (SELECT COUNT(*) FROM information_schema.global_variables
    WHERE variable_name IN ('ENCRYPT_BINLOG', 'LOG_BIN_COMPRESS') AND variable_value = 'ON'),
  (SELECT COUNT(*) FROM information_schema.events WHERE BINARY event_schema = ${literal(database)} AND status = 'ENABLED');`;
  const [row] = await client.query(sql, doing, ctx.signal);
  const [log, format, closed, events] = row ?? [];
  if (log !== '1') {
    return 'the MariaDB that it leaves keeps no binary log; set log_bin and binlog_format = ROW there, and restart it';
  }
  if (format !== 'ROW') {
    return `its binary log holds statements (binlog_format ${format}), which may do other things elsewhere; set binlog_format = ROW`;
  }
  if (closed !== '0') {
    return 'its binary log is encrypted or compressed; set encrypt_binlog and log_bin_compress = OFF';
  }
  if ((status?.['Binlog_Do_DB'] ?? '') !== '' || (status?.['Binlog_Ignore_DB'] ?? '') !== '') {
    return 'its binary log leaves out databases; take binlog_do_db and binlog_ignore_db away';
  }
  const [tables] = await client.query(selectDumpable(database), doing, ctx.signal);
  const unsafe = Number(tables?.[1] ?? 0);
  if (unsafe > 0) return `${unsafe} of its tables know no transactions; ALTER TABLE … ENGINE=InnoDB gives them some`;
  const keyless = await client.query(selectKeyless(database), doing, ctx.signal);
  if (keyless.length > 0) {
    return `${keyless.length} of its tables have more than ${MOST_KEYLESS_ROWS} rows and no key, by which each change would be looked for in all of them; ALTER TABLE … ADD PRIMARY KEY gives them one`;
  }
  const prepared = await client.query('XA RECOVER;', doing, ctx.signal);
  if (prepared.length > 0) {
    return 'somebody has prepared a transaction there (XA RECOVER), of which nobody knows what it is about; end it';
  }
  if (Number(events ?? 0) > 0) return `${events} of its events would run on both servers; disable them`;
  return undefined;
}
