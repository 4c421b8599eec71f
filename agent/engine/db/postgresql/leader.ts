// Asks the server that is followed, from the one that follows, as the account that was made for it.
import { dirname, join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Daemon } from '../../../host/host.ts';
import type { ActionContext } from '../../engine.ts';
import { namesOf } from '../site-names.ts';
import { NOBODY } from './deputy.ts';

export interface Leader {
  /** Normalised. */
  readonly address: string;
  readonly port: number;
  /** Of letters, digits and ._~-. */
  readonly password: string;
}

const TIMEOUT_MS = 60_000;
const MAX_ANSWER = 64 * 1024 * 1024;
const REFUSED =
  /password authentication failed|no pg_hba\.conf entry|pg_hba\.conf rejects|role "[^"]*" (?:does not exist|is not permitted)|permission denied for database/;

/** Lines of JSON. Throws failed_precondition when it lets this server not in, unavailable when it is not reached. */
export async function askLeader(
  daemon: Daemon,
  spec: DbSpec,
  leader: Leader,
  sql: string,
  ctx: ActionContext,
): Promise<{ readonly tls: boolean; readonly rows: readonly unknown[] }> {
  const ask = (tls: boolean) =>
    ctx.host.run({
      argv: [
        join(dirname(daemon.program), 'psql'),
        ...['--no-psqlrc', '--no-password', '--quiet', '--no-align', '--tuples-only', '--set=ON_ERROR_STOP=1'],
        `--dbname=${placeOf(spec, leader, tls)} options='-c statement_timeout=60s'`,
      ],
      env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', PGPASSWORD: leader.password },
      ...NOBODY,
      input: `SET search_path = pg_catalog, pg_temp;\nSET quote_all_identifiers = off;\n${sql}\n`,
      maxOutput: MAX_ANSWER,
      timeoutMs: TIMEOUT_MS,
      signal: ctx.signal,
    });
  let tls = true;
  let answer = await ask(tls);
  if (answer.code !== 0 && /server does not support SSL/.test(answer.stderr)) {
    tls = false;
    answer = await ask(tls);
  }
  const { code, stdout, stderr } = answer;
  if (code === 0) {
    const lines = stdout.split('\n').filter((line) => line !== '');
    return { tls, rows: lines.map((line): unknown => JSON.parse(line)) };
  }
  const refused = REFUSED.test(stderr);
  const where = `PostgreSQL on ${leader.address}, port ${leader.port}`;
  throw new AegirError(
    refused ? 'failed_precondition' : 'unavailable',
    `cannot follow database ${spec.database}: ${where} ${
      refused
        ? 'does not let this server in; see that it connects from an address that the other one knows'
        : 'is not reached; see that it listens there, and firewalls'
    }`,
    { cause: stderr.slice(0, 4096), untouched: true },
  );
}

/** Where it is and as whom, without the password, as connections of PostgreSQL are described. */
export function placeOf({ siteId, database }: DbSpec, { address, port }: Leader, tls: boolean): string {
  const { follower } = namesOf(siteId);
  return `host=${address} port=${port} dbname=${database} user=${follower} sslmode=${tls ? 'require' : 'disable'} connect_timeout=10`;
}
