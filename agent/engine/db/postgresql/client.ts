// Talks to PostgreSQL by its own client program over the socket: SQL on standard input, JSON back, errors for people.
import { AegirError, type ErrorCode } from '../../../../shared/error.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import { psql } from '../../../host/postgresql-reload.ts';

export interface QueryOptions {
  /** Default postgres, which is nobody's. */
  readonly database?: string;
  readonly signal?: AbortSignal;
}

export interface Client {
  /** Each row that the SQL answers must be one JSON value. Throws AegirError. */
  query(sql: string, doing: string, options?: QueryOptions): Promise<readonly unknown[]>;
}

const TIMEOUT_MS = 120_000;

/** What operators and sites may have set otherwise for every session, and what must not matter here. */
const SESSION = `SET search_path = pg_catalog, pg_temp;
SET standard_conforming_strings = on;
SET client_encoding = 'UTF8';
SET client_min_messages = error;
SET lock_timeout = '30s';
SET quote_all_identifiers = off;
SET default_transaction_isolation = 'read committed';
`;

export function createClient(host: Host, daemon: Daemon): Client {
  return {
    query: async (sql, doing, { database = 'postgres', signal } = {}) => {
      const { code, stdout, stderr } = await host.run({
        argv: psql(daemon, database),
        input: `${SESSION}${sql}\n`,
        // By peer authentication: the run user of an embedded server, postgres on a systemd host.
        user: daemon.user,
        timeoutMs: TIMEOUT_MS,
        ...(signal === undefined ? {} : { signal }),
      });
      if (code !== 0) throw failure(code, stderr, doing, daemon, host);
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line): unknown => JSON.parse(line));
    },
  };
}

interface Known {
  readonly code: ErrorCode;
  readonly text: string;
}

const PEER: Known = {
  code: 'permission_denied',
  text: 'the agent may not administer PostgreSQL by its socket; let its user in with peer authentication, by a line of pg_hba.conf such as: local all postgres peer',
};
const ENDED: Known = { code: 'unavailable', text: 'PostgreSQL ended in the middle of it; see its log' };
const CONNECTIONS: Known = {
  code: 'unavailable',
  text: 'PostgreSQL has too many connections; raise its max_connections',
};

/** PostgreSQL manual, appendix "PostgreSQL Error Codes". */
const STATES: Readonly<Record<string, Known>> = {
  '53300': CONNECTIONS,
  '53100': { code: 'resource_exhausted', text: 'the disk of PostgreSQL is full; make room there' },
  '53200': { code: 'resource_exhausted', text: 'PostgreSQL has no memory left; see its log' },
  '57P01': ENDED,
  '57P02': ENDED,
  '57P03': { code: 'unavailable', text: 'PostgreSQL is starting or shutting down; try again' },
  '25006': {
    code: 'failed_precondition',
    text: 'PostgreSQL is read-only, or a standby of another one; make it writable',
  },
  '42501': { code: 'permission_denied', text: 'the agent is no superuser of PostgreSQL; make its role one' },
  '55006': {
    code: 'failed_precondition',
    text: 'something of PostgreSQL holds it: a prepared transaction, a replication slot or a subscription; end that',
  },
  '57014': { code: 'deadline_exceeded', text: 'somebody cancelled it, or it took too long; try again' },
  '55P03': { code: 'unavailable', text: 'somebody holds a lock on it; see pg_stat_activity' },
};

/** What psql and pg_dump say when they get no connection, or no more room; a server may say its part in another language. */
const REFUSALS: readonly (readonly [RegExp, Known])[] = [
  [/Peer authentication failed|no pg_hba\.conf entry|pg_hba\.conf rejects|role "[^"]*" does not exist/, PEER],
  [/too many clients|remaining connection slots/, CONNECTIONS],
  [/starting up|shutting down|in recovery/, STATES['57P03'] as Known],
  [/No space left on device/, STATES['53100'] as Known],
  [/server closed the connection|connection to server was lost/, ENDED],
];

const NO_SERVER = /connection to server .* failed: (?:No such file|Connection refused)/;

/** By SQLSTATE: psql is told to give no text, which would quote SQL. */
export function failure(code: number, stderr: string, doing: string, daemon: Daemon, host: Host): AegirError {
  const state = /(?:ERROR|FATAL|PANIC):\s+([0-9A-Z]{5})$/m.exec(stderr)?.[1] ?? '';
  const refused = REFUSALS.find(([form]) => form.test(stderr))?.[1];
  const start =
    host.kind === 'systemd'
      ? `; start it, for example: systemctl start ${daemon.name}`
      : '; see the log of the embedded server';
  const silent: Known = { code: 'unavailable', text: `PostgreSQL does not answer on ${daemon.socket}${start}` };
  const known = STATES[state] ?? refused ?? (code === 2 || NO_SERVER.test(stderr) ? silent : undefined);
  const cause = stderr.replace(/SCRAM-SHA-256\$[^\s']*/g, 'SCRAM-SHA-256$…').slice(0, 4096);
  if (known !== undefined) return new AegirError(known.code, `cannot ${doing}: ${known.text}`, { cause });
  return new AegirError(
    'internal',
    `cannot ${doing}: PostgreSQL answered with error ${state || code}; see its log and the agent's`,
    { cause },
  );
}
