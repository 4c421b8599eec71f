// Changes of the database that this one was dumped from, taken once each: how far it came is kept in the transaction that
// brings it there. Rows go through BINLOG, as the server's own replicas take them; no statement of the other server is run.
import { AegirError } from '../../../../shared/error.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Daemon } from '../../../host/host.ts';
import { waitUntil } from '../../../host/wait.ts';
import type { ActionContext } from '../../engine.ts';
import { isAtLeast, isSameLog, placeOf } from './binlog-place.ts';
import { decodeFrames, type Frame } from './change-frame.ts';
import { administrator, type Client, createClient } from './client.ts';
import { MARIADB } from './dialect.ts';
import { failure } from './failure.ts';
import { createReplay, FORMAT } from './replay.ts';
import { followTable, identifier, literal } from './sql.ts';

/** One transaction here is as many of theirs, so that the disk need not be waited for after each. */
const BATCH_TRANSACTIONS = 100;
const BATCH_BYTES = 4 * 1024 * 1024;
const ENDING_MS = 30_000;

/** from: FILE:POSITION of the dump. Answers how many transactions were taken; those that were here before do not count. */
export async function applyChanges(
  daemon: Daemon,
  spec: DbSpec,
  from: string,
  changes: AsyncIterable<Uint8Array>,
  ctx: ActionContext,
): Promise<number> {
  const doing = `take changes of database ${spec.database}`;
  if (placeOf(from) === undefined) {
    const why = `cannot ${doing}: its dump does not tell where the binary log was`;
    throw new AegirError('failed_precondition', why, { untouched: true });
  }
  const client = createClient(ctx.host, daemon, MARIADB);
  const table = followTable(spec.siteId);
  const known = await client.query(
    `CREATE TABLE IF NOT EXISTS ${table} (id TINYINT PRIMARY KEY, position VARCHAR(250) NOT NULL) ENGINE=InnoDB;
INSERT IGNORE INTO ${table} VALUES (1, ${literal(from)});
SELECT position, @@max_allowed_packet, @@slave_exec_mode, @@slave_type_conversions FROM ${table};`,
    doing,
    ctx.signal,
  );
  const [reached, packet, mode, conversions] = known.at(-1) ?? [];
  if (mode !== 'STRICT' || (conversions ?? '') !== '') {
    const why =
      'its server passes over changes that do not fit; set slave_exec_mode = STRICT and slave_type_conversions empty';
    throw new AegirError('failed_precondition', `cannot ${doing}: ${why}`);
  }
  const frames = decodeFrames(changes)[Symbol.asyncIterator]();
  const run: Run = { spec, doing, frames, reached: reached ?? from, most: Number(packet), taken: 0, ctx };
  let connection = '';
  const program = ctx.host.stream({
    argv: [
      ...(['mariadb', '--no-defaults', '--batch', '--skip-column-names', '--skip-reconnect', '--unbuffered'] as const),
      ...['--default-character-set=utf8mb4', '--max-allowed-packet=1G'],
      `--init-command=${SESSION}`,
      ...[`--socket=${daemon.socket}`, `--user=${administrator(ctx.host, daemon)}`],
    ],
    input: sqlOf(run),
    signal: ctx.signal,
    failed: ({ stderr }) => unfit(stderr, doing, daemon, ctx),
  });
  try {
    for await (const answer of program) connection += Buffer.from(answer).toString('latin1').slice(0, 20);
  } catch (thrown) {
    // The server goes on with what its client is no longer there for.
    await endConnection(client, connection.trim(), doing, ctx);
    throw thrown;
  } finally {
    await frames.return?.(undefined);
  }
  ctx.failpoint('agent.db.changes-taken');
  return run.taken;
}

const SESSION =
  "SET SESSION sql_mode = '', binlog_format = 'ROW', binlog_annotate_row_events = 0, max_statement_time = 0, foreign_key_checks = 1";

interface Run {
  readonly spec: DbSpec;
  readonly doing: string;
  readonly frames: AsyncIterator<Frame>;
  /** What begins before it is here. */
  readonly reached: string;
  /** Bytes that the server takes in one statement. */
  readonly most: number;
  taken: number;
  readonly ctx: ActionContext;
}

async function* sqlOf(run: Run): AsyncGenerator<Uint8Array> {
  const { spec, frames, ctx, doing } = run;
  const replay = createReplay(spec.database);
  const table = followTable(spec.siteId);
  let isOpen = false;
  let isPassedOver = true;
  let [transactions, bytes] = [0, 0];
  /** Where the last one ended, and what the table says. */
  let last = run.reached;
  let kept = run.reached;
  const text = (sql: readonly string[]): Buffer => {
    if (sql.some((each) => each.length >= run.most)) {
      const why = `cannot ${doing}: one is longer than max_allowed_packet of the server; make the copy anew`;
      throw new AegirError('failed_precondition', why);
    }
    return Buffer.from(sql.join(''));
  };
  const begun = (): readonly string[] => {
    if (isOpen) return [];
    isOpen = true;
    return [`START TRANSACTION;\n${assertKept(table, kept)}`];
  };
  const commit = (at: string): readonly string[] => {
    [isOpen, transactions, bytes] = [false, 0, 0];
    ctx.failpoint('agent.db.changes-commit');
    kept = at;
    return [`UPDATE ${table} SET position = ${literal(at)};\nCOMMIT;\n`];
  };
  yield text([`SELECT CONNECTION_ID();\n${FORMAT}`]);
  for (;;) {
    const { done, value: frame } = await frames.next();
    if (done === true) return;
    if (frame.kind === 'end') {
      if (isOpen) yield text(commit(last));
      return;
    }
    if (frame.kind === 'begin') {
      if (!isSameLog(frame.at, run.reached)) {
        throw new AegirError('failed_precondition', `cannot ${doing}: they are of another log than its dump`);
      }
      isPassedOver = !isAtLeast(frame.at, run.reached);
      continue;
    }
    if (isPassedOver) continue;
    if (frame.kind === 'rows') {
      bytes += frame.events.length;
      const rows = replay.add(frame.events);
      for (const sql of [...begun(), ...rows]) yield text([sql]);
    } else if (frame.kind === 'truncate') {
      // It ends a transaction; once more empties no more.
      for (const sql of [...replay.rest(), ...(isOpen ? commit(last) : [])]) yield text([sql]);
      yield text([emptied(spec.database, frame.table)]);
    } else {
      last = checkedPlace(frame.at);
      run.taken += 1;
      transactions += 1;
      const isFull = transactions >= BATCH_TRANSACTIONS || bytes >= BATCH_BYTES;
      for (const sql of [...begun(), ...replay.rest(), ...(isFull ? commit(last) : [])]) yield text([sql]);
    }
  }
}

function checkedPlace(text: string): string {
  if (placeOf(text) !== undefined) return text;
  throw new AegirError('permission_denied', 'cannot take changes of a database: a place among them is none');
}

/** Where it was emptied, no key stood in the way. */
function emptied(database: string, table: string): string {
  if (!/^[A-Za-z0-9_$]{1,64}$/.test(table)) {
    throw new AegirError('permission_denied', 'cannot take changes of a database: a table among them is none');
  }
  return `SET SESSION foreign_key_checks = 0;
TRUNCATE TABLE ${identifier(database)}.\`${table}\`;
SET SESSION foreign_key_checks = 1;
`;
}

/** Whoever else takes changes is waited for, such as the client of an agent that died; what he took is not taken again. */
function assertKept(table: string, position: string): string {
  return `SELECT position = ${literal(position)} INTO @aegir FROM ${table} FOR UPDATE;
SET @aegir = IF(@aegir, 1, (SELECT 1 UNION SELECT 2));
`;
}

/** Resolves when it is gone, or does not go. After a cancellation too. */
async function endConnection(client: Client, id: string, doing: string, ctx: ActionContext): Promise<void> {
  if (!/^[0-9]{1,20}$/.test(id)) return;
  const isGone = async (): Promise<boolean> => {
    const sql = `SELECT 1 FROM information_schema.processlist WHERE id = ${id};`;
    if ((await client.query(sql, doing)).length === 0) return true;
    // One that ended by itself meanwhile cannot be ended.
    await client.query(`KILL ${id};`, doing).catch(() => {});
    return false;
  };
  try {
    if (await waitUntil(isGone, ENDING_MS, 100)) return;
    ctx.log('warn', `connection ${id} of the server still undoes what it did of ${doing}`);
  } catch (thrown) {
    // What went wrong before is what is thrown.
    ctx.log('warn', `cannot look whether connection ${id} has ended: ${(thrown as Error).message}`);
  }
}

/** Of the server itself, not of what it was given. */
const OF_SERVER: ReadonlySet<number> = new Set([
  ...[1021, 1040, 1045, 1053, 1114, 1205, 1213, 1290, 1698, 1836, 2002, 2006, 2013],
]);

function unfit(stderr: string, doing: string, daemon: Daemon, ctx: ActionContext): AegirError {
  const number = Number(/ERROR (\d+)/.exec(stderr)?.[1] ?? 0);
  if (number === 1242) {
    return new AegirError('unavailable', `cannot ${doing}: another one is taking them; see SHOW PROCESSLIST`);
  }
  if (OF_SERVER.has(number) || number === 0) return failure(stderr, doing, daemon, ctx.host, MARIADB);
  // By number: its text quotes what sites wrote.
  const why = `cannot ${doing}: one does not fit here (error ${number}); make the copy anew`;
  return new AegirError('failed_precondition', why);
}
