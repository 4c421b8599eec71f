// Has a PostgreSQL server read its configuration again, and waits until it did: asked by its own client over its socket.
import { dirname, join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import type { Run } from './process.ts';
import { waitUntil } from './wait.ts';

const RELOAD_MS = 20_000;
/** Long enough for a server that is busy, when its files are known to be wrong. */
const WRONG_MS = 3_000;
const WRONG =
  "SELECT DISTINCT sourcefile || ':' || sourceline FROM pg_catalog.pg_file_settings WHERE error IS NOT NULL;";

export interface PostgresqlPlace {
  readonly name: string;
  /** Path of the server's program; its client lies beside it. */
  readonly program: string;
  /** Path of its socket, DIRECTORY/.s.PGSQL.PORT. */
  readonly socket: string;
  /** Its administrator, by peer authentication: system user and role. */
  readonly user: string;
}

/** Arguments of psql for a person's own settings not to matter, and to go by the socket. */
export function psql(place: Omit<PostgresqlPlace, 'name'>, database: string): [string, ...string[]] {
  return [
    join(dirname(place.program), 'psql'),
    '--no-psqlrc',
    '--no-password',
    '--quiet',
    '--no-align',
    '--tuples-only',
    '--set=ON_ERROR_STOP=1',
    '--set=VERBOSITY=sqlstate',
    `--host=${dirname(place.socket)}`,
    `--port=${portOfSocket(place.socket)}`,
    `--username=${place.user}`,
    // From the connection's first statement on: a time that the role or the server sets holds for a SET as well.
    `--dbname=dbname='${database.replace(/['\\]/g, '\\$&')}' options='-c statement_timeout=0'`,
  ];
}

export function portOfSocket(socket: string): number {
  return Number(/\.s\.PGSQL\.([0-9]+)$/.exec(socket)?.[1] ?? 5432);
}

export async function reloadPostgresql(place: PostgresqlPlace, run: Run): Promise<void> {
  const ask = async (sql: string): Promise<string> => {
    const { code, stdout, stderr } = await run({ argv: psql(place, 'postgres'), input: sql, user: place.user });
    if (code === 0) return stdout.trim();
    throw new AegirError('unavailable', `cannot reload ${place.name}: it does not answer; start it`, { cause: stderr });
  };
  // A server process is made with what its parent had read: a new connection tells what the server has in force.
  const loaded = (): Promise<string> => ask('SELECT extract(epoch FROM pg_catalog.pg_conf_load_time());');
  const before = await loaded();
  await ask('SELECT pg_catalog.pg_reload_conf();');
  const isLoaded = async (): Promise<boolean> => (await loaded()) !== before;
  if (await waitUntil(isLoaded, WRONG_MS, 50)) return;
  const wrong = (await ask(WRONG)).split('\n').filter(Boolean).join(', ');
  if (wrong === '' && (await waitUntil(isLoaded, RELOAD_MS, 50))) return;
  throw new AegirError(
    'failed_precondition',
    `cannot reload ${place.name}: it does not take its configuration; mend ${wrong || 'it, see its log'}`,
  );
}
