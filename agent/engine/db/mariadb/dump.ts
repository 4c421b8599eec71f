// A site's database as SQL, by the server's own program: one state of all of it, while it goes on serving.
import { AegirError } from '../../../../shared/error.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Daemon } from '../../../host/host.ts';
import type { ActionContext, DumpFacts } from '../../engine.ts';
import { HEAD, TAIL } from '../dump-frame.ts';
import { administrator, type Client, createClient } from './client.ts';
import type { Dialect } from './dialect.ts';
import { cleaned, HAS_TRUSTED, whole } from './dump-text.ts';
import { findEndless, watchEndless } from './endless.ts';
import { failure } from './failure.ts';
import { LOCK_PATIENCE, type Patience, watchLocks } from './lock-wait.ts';
import { identifier, selectDumpable } from './sql.ts';
import { MOST_PACKET } from './wide-packets.ts';

const ARGUMENTS = [
  '--no-defaults',
  '--default-character-set=utf8mb4',
  `--max-allowed-packet=${MOST_PACKET}`,
  '--routines',
  '--triggers',
  '--events',
  '--hex-blob',
  '--order-by-primary',
  '--no-tablespaces',
  '--skip-comments',
  '--skip-dump-date',
  '--skip-add-locks',
  '--skip-disable-keys',
];

/** With room for what stands before its values. */
const MOST_STATEMENT = MOST_PACKET - 1024 ** 2;

export async function* dumpDatabase(
  daemon: Daemon,
  dialect: Dialect,
  { database }: DbSpec,
  ctx: ActionContext,
  tell: ((facts: DumpFacts) => void) | undefined,
  patience: Patience = LOCK_PATIENCE,
): AsyncGenerator<Uint8Array> {
  // Where it stands among arguments: a plain name is no option.
  identifier(database);
  const { label, dump } = dialect;
  const { host } = ctx;
  const doing = `dump database ${database}`;
  if ((await host.which(dump.program)) === undefined) {
    const text = `cannot ${doing}: there is no ${dump.program} on this server; install ${dump.package}`;
    throw new AegirError('failed_precondition', text);
  }
  const client = createClient(host, daemon, dialect);
  const query = (sql: string, signal: AbortSignal) => client.query(sql, doing, signal);
  const endless = (signal: AbortSignal) => findEndless(query, database, doing, dialect, signal);
  const never = await endless(ctx.signal);
  if (never !== undefined) throw never;
  const [row] = await query(selectDumpable(database), ctx.signal);
  const [logs, unsafe, trusted, floats = 0] = (row ?? []).map(Number);
  const isSafe = unsafe === 0;
  if (!isSafe) {
    const text = `${unsafe} of the tables in ${database} know no transactions: writes to it wait while it is dumped`;
    ctx.log('warn', `${text}; ALTER TABLE … ENGINE=InnoDB makes ${label} need no such wait`);
  }
  if (floats > 0) {
    // The server itself writes so many, whatever asks: its FLOATs come out exactly only where they are made DOUBLEs on the way.
    const text = `${floats} of the tables in ${database} ${floats === 1 ? 'has a column' : 'have columns'} of type FLOAT, of which a dump keeps six digits`;
    ctx.log('warn', `${text}; ALTER TABLE … MODIFY … DOUBLE keeps all`);
  }
  const positioned = tell !== undefined && logs === 1 && isSafe && (await isPlaceable(client, dialect, doing, ctx));
  const user = administrator(host, daemon);
  const locks = watchLocks(query, user, database, patience);
  const events = watchEndless(endless, patience.lookMs);
  const program = host.stream({
    argv: [
      dump.program,
      ...ARGUMENTS,
      ...dump.arguments,
      ...(isSafe ? ['--single-transaction', '--skip-lock-tables'] : ['--lock-tables']),
      ...(positioned ? dump.position : []),
      `--socket=${daemon.socket}`,
      `--user=${user}`,
      database,
    ],
    signal: AbortSignal.any([ctx.signal, events.signal]),
    failed: ({ code, stderr }) =>
      locks.ended()
        ? failure('ERROR 1205', doing, daemon, host, dialect)
        : code > 128
          ? new AegirError(
              'unavailable',
              `cannot ${doing}: ${dump.program} was ended or broke down (code ${code}); try again`,
            )
          : failure(stderr, doing, daemon, host, dialect),
  });
  let position = '';
  try {
    yield Buffer.from((trusted ?? 0) > 0 ? HEAD + HAS_TRUSTED : HEAD);
    const cleanly = cleaned(program, (at) => {
      position = at;
    });
    yield* whole(cleanly, MOST_STATEMENT, () => {
      const text = `a row of it takes more than 1 GiB as SQL, which no server takes back; make it shorter`;
      return new AegirError('failed_precondition', `cannot ${doing}: ${text}`);
    });
  } catch (thrown) {
    if (!ctx.signal.aborted) events.signal.throwIfAborted();
    throw thrown;
  } finally {
    await Promise.all([locks.stop(), events.stop()]);
  }
  tell?.({ position });
  yield Buffer.from(TAIL);
}

/**
 * mariadb-dump breaks down where the server does not tell the GTID of its log's end, as where an event in that file is longer
 * than a packet may be: such a dump tells no place.
 */
async function isPlaceable(client: Client, { name }: Dialect, doing: string, ctx: ActionContext): Promise<boolean> {
  if (name !== 'mariadb') return true;
  const [status] = await client.table('SHOW MASTER STATUS;', doing, ctx.signal);
  const [file = '', at = ''] = [status?.['File'], status?.['Position']];
  if (!/^[A-Za-z0-9._-]+$/.test(file) || !/^[0-9]+$/.test(at)) return false;
  const sql = `SELECT BINLOG_GTID_POS('${file}', ${at}) IS NULL;`;
  let why = 'an event in it is longer than a packet';
  try {
    const [row] = await client.query(sql, doing, ctx.signal);
    if (row?.[0] === '0') return true;
  } catch (thrown) {
    // The dump itself tells no less without it.
    why = (thrown as Error).message;
  }
  ctx.log('info', `the server does not tell where its binary log is: ${why}`);
  return false;
}
