// Changes of the database that this one was dumped from, taken once each: how far it came is kept in the transaction that
// brings it there. Rows go through BINLOG, as the server's own replicas take them; statements run as the site's deputy, who
// may do what the site may.
import { AegirError } from '../../../../shared/error.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Daemon } from '../../../host/host.ts';
import type { ActionContext } from '../../engine.ts';
import { namesOf } from '../site-names.ts';
import { deputySql, ending, nobodys } from './accounts.ts';
import { isAboutTables, type Statement } from './binlog-event.ts';
import { isAtLeast, isSameLog, placeOf } from './binlog-place.ts';
import { decodeFrames, type Frame } from './change-frame.ts';
import { administrator, createClient } from './client.ts';
import { MARIADB } from './dialect.ts';
import { failure } from './failure.ts';
import { createReplay, FORMAT } from './replay.ts';
import { followTable, literal } from './sql.ts';

/** One transaction here is as many of theirs, so that the disk need not be waited for after each. */
const BATCH_TRANSACTIONS = 100;
const BATCH_BYTES = 4 * 1024 * 1024;
/** To alter a large table takes its time. */
const STATEMENT_MS = 1_800_000;
/** from: FILE:POSITION of the dump. Answers how many transactions were taken; those that were here before do not count. */
export async function applyChanges(
  daemon: Daemon,
  spec: DbSpec,
  from: string,
  changes: AsyncIterable<Uint8Array>,
  ctx: ActionContext,
): Promise<number> {
  const { siteId, database } = spec;
  const doing = `take changes of database ${database}`;
  if (placeOf(from) === undefined) {
    const why = `cannot ${doing}: its dump does not tell where the binary log was`;
    throw new AegirError('failed_precondition', why, { untouched: true });
  }
  const client = createClient(ctx.host, daemon, MARIADB);
  const table = followTable(siteId);
  const known = await client.query(
    `CREATE TABLE IF NOT EXISTS ${table} (id TINYINT PRIMARY KEY, position VARCHAR(250) NOT NULL) ENGINE=InnoDB;
INSERT IGNORE INTO ${table} VALUES (1, ${literal(from)});
SELECT position FROM ${table};`,
    doing,
    ctx.signal,
  );
  const reached = known.at(-1)?.[0] ?? from;
  const frames = decodeFrames(changes)[Symbol.asyncIterator]();
  const run: Run = {
    daemon,
    spec,
    doing,
    frames,
    reached,
    taken: 0,
    isPassedOver: true,
    last: reached,
    kept: reached,
    ctx,
  };
  const deputy = createDeputy(daemon, spec, doing, ctx);
  try {
    for (let stop = await takeRows(run); stop !== undefined; stop = await takeRows(run)) {
      await deputy.run(stop);
      ctx.failpoint('agent.db.statement-taken');
    }
  } finally {
    await frames.return?.(undefined);
    await deputy.close();
  }
  ctx.failpoint('agent.db.changes-taken');
  return run.taken;
}

interface Run {
  readonly daemon: Daemon;
  readonly spec: DbSpec;
  readonly doing: string;
  readonly frames: AsyncIterator<Frame>;
  /** What begins before it is here. */
  readonly reached: string;
  taken: number;
  /** The transaction at hand is here. */
  isPassedOver: boolean;
  /** Where the last one ended. */
  last: string;
  /** What the table says. */
  kept: string;
  readonly ctx: ActionContext;
}

/** By one client, up to a statement, which is answered, or to the end. */
async function takeRows(run: Run): Promise<Omit<Statement, 'database'> | undefined> {
  const { daemon, doing, ctx } = run;
  let stop: Omit<Statement, 'database'> | undefined;
  const program = ctx.host.stream({
    argv: [
      ...(['mariadb', '--no-defaults', '--batch', '--skip-column-names', '--skip-reconnect'] as const),
      ...['--default-character-set=utf8mb4', '--max-allowed-packet=1G'],
      "--init-command=SET SESSION sql_mode = '', binlog_format = 'ROW', binlog_annotate_row_events = 0, max_statement_time = 0",
      ...[`--socket=${daemon.socket}`, `--user=${administrator(ctx.host, daemon)}`],
    ],
    input: sqlOf(run, (statement) => {
      stop = statement;
    }),
    signal: ctx.signal,
    failed: ({ stderr }) => unfit(stderr, doing, daemon, ctx),
  });
  for await (const _answer of program);
  return stop;
}

async function* sqlOf(run: Run, stopAt: (statement: Omit<Statement, 'database'>) => void): AsyncGenerator<Uint8Array> {
  const { spec, frames, ctx } = run;
  const replay = createReplay(spec.database);
  const table = followTable(spec.siteId);
  let isOpen = false;
  let [transactions, bytes] = [0, 0];
  const text = (sql: readonly string[]) => Buffer.from(sql.join(''));
  const begun = (): readonly string[] => {
    if (isOpen) return [];
    isOpen = true;
    return [`START TRANSACTION;\n${assertKept(table, run.kept)}`];
  };
  const commit = (at: string): readonly string[] => {
    [isOpen, transactions, bytes] = [false, 0, 0];
    ctx.failpoint('agent.db.changes-commit');
    run.kept = at;
    return [`UPDATE ${table} SET position = ${literal(at)};\nCOMMIT;\n`];
  };
  yield text([FORMAT]);
  for (;;) {
    const { done, value: frame } = await frames.next();
    if (done === true) return;
    if (frame.kind === 'end') {
      if (isOpen) yield text(commit(run.last));
      return;
    }
    if (frame.kind === 'begin') {
      if (!isSameLog(frame.at, run.reached)) {
        throw new AegirError('failed_precondition', `cannot ${run.doing}: they are of another log than its dump`);
      }
      run.isPassedOver = !isAtLeast(frame.at, run.reached);
      continue;
    }
    if (run.isPassedOver) continue;
    if (frame.kind === 'rows') {
      bytes += frame.events.length;
      yield text([...begun(), ...replay.add(frame.events)]);
    } else if (frame.kind === 'statement') {
      // It ends a transaction wherever it runs.
      yield text([...replay.rest(), ...(isOpen ? commit(run.last) : [])]);
      stopAt(frame.statement);
      return;
    } else {
      run.last = checkedPlace(frame.at);
      run.taken += 1;
      transactions += 1;
      const isFull = transactions >= BATCH_TRANSACTIONS || bytes >= BATCH_BYTES;
      yield text([...begun(), ...replay.rest(), ...(isFull ? commit(run.last) : [])]);
    }
  }
}

function checkedPlace(text: string): string {
  if (placeOf(text) !== undefined) return text;
  throw new AegirError('permission_denied', 'cannot take changes of a database: a place among them is none');
}

interface Deputy {
  run(statement: Omit<Statement, 'database'>): Promise<void>;
  close(): Promise<void>;
}

/** Open from the first statement on. */
function createDeputy(daemon: Daemon, { siteId, database }: DbSpec, doing: string, ctx: ActionContext): Deputy {
  const { deputy } = namesOf(siteId);
  const client = createClient(ctx.host, daemon, MARIADB);
  let password: string | undefined;
  return {
    async run(statement) {
      if (!isAboutTables(statement)) {
        throw new AegirError(
          'failed_precondition',
          `cannot ${doing}: a statement is about something else than its tables`,
        );
      }
      if (password === undefined) {
        password = nobodys();
        await ending(client, doing, deputy, deputySql(MARIADB, siteId, password, false)).run(ctx);
      }
      const { code, stderr } = await ctx.host.run({
        argv: [
          ...(['mariadb', '--no-defaults', '--batch', '--binary-mode', '--loose-sandbox'] as const),
          ...['--disable-local-infile', '--skip-reconnect', '--default-character-set=utf8mb4'],
          ...['--max-allowed-packet=1G', `--init-command=${MARIADB.restoreSession}`],
          ...[`--socket=${daemon.socket}`, `--user=${deputy}`, database],
        ],
        env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', MYSQL_PWD: password },
        input: prepared(statement),
        timeoutMs: STATEMENT_MS,
        signal: ctx.signal,
      });
      if (code !== 0) throw unfit(stderr, doing, daemon, ctx);
    },
    async close() {
      if (password === undefined) return;
      const after = { ...ctx, signal: new AbortController().signal };
      const close = ending(client, `close ${deputy}`, deputy, deputySql(MARIADB, siteId, nobodys(), true));
      // What went wrong first is what matters; verify closes it.
      await close.run(after).catch((thrown: Error) => ctx.log('warn', thrown.message));
    },
  };
}

/** One statement and no more, whatever is in it: it is never read as the client's own words. */
function prepared({
  text,
  sqlMode,
  foreignKeyChecks,
  uniqueChecks,
  collations,
  timeZone,
}: Omit<Statement, 'database'>) {
  const [client, connection, server] = collations;
  const settings = [
    `sql_mode = ${sqlMode}`,
    `foreign_key_checks = ${foreignKeyChecks ? 1 : 0}`,
    `unique_checks = ${uniqueChecks ? 1 : 0}`,
    ...(timeZone === '' ? [] : [`time_zone = ${literal(timeZone)}`]),
    ...(server === undefined
      ? []
      : [`character_set_client = ${client}, collation_connection = ${connection}, collation_server = ${server}`]),
  ];
  return `SET @aegir = X'${text.toString('hex')}';\nSET SESSION ${settings.join(', ')};\nPREPARE aegir FROM @aegir;\nEXECUTE aegir;\n`;
}

/** Whoever else takes changes is waited for, such as the client of an agent that died; what he took is not taken again. */
function assertKept(table: string, position: string): string {
  return `SELECT position = ${literal(position)} INTO @aegir FROM ${table} FOR UPDATE;
SET @aegir = IF(@aegir, 1, (SELECT 1 UNION SELECT 2));
`;
}

/** Of the server itself, not of what it was given. */
const OF_SERVER: ReadonlySet<number> = new Set([
  ...[1021, 1030, 1040, 1045, 1053, 1114, 1205, 1213, 1290, 1698, 1836, 2002, 2006, 2013],
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
