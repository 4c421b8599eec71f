// Talks to MariaDB or MySQL by its own client program over the socket: SQL on standard input, rows back, errors for people.
import { AegirError, type ErrorCode } from '../../../../shared/error.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import type { Dialect } from './dialect.ts';

export interface Client {
  /** Rows of tab-separated fields, unescaped; '\N' is null. Throws AegirError. */
  query(sql: string, doing: string, signal?: AbortSignal): Promise<readonly (readonly (string | null)[])[]>;
}

const TIMEOUT_MS = 60_000;

export function createClient(host: Host, daemon: Daemon, dialect: Dialect): Client {
  return {
    query: async (sql, doing, signal) => {
      const { code, stdout, stderr } = await host.run({
        argv: [
          dialect.name,
          '--no-defaults',
          '--batch',
          '--skip-column-names',
          '--default-character-set=utf8mb4',
          '--skip-reconnect',
          // The server's own mode may change how it quotes what it answers.
          "--init-command=SET SESSION sql_mode = ''",
          `--socket=${daemon.socket}`,
          // The run user of an embedded server, root on a systemd host: each by socket authentication.
          `--user=${host.kind === 'embedded' ? daemon.user : 'root'}`,
        ],
        input: sql,
        timeoutMs: TIMEOUT_MS,
        ...(signal === undefined ? {} : { signal }),
      });
      if (code !== 0) throw failure(stderr, doing, daemon, host, dialect);
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split('\t').map(unescaped));
    },
  };
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', '0': '\0', '\\': '\\' };

function unescaped(field: string): string | null {
  if (field === '\\N' || field === 'NULL') return null;
  return field.replace(/\\(.)/g, (_, char: string) => ESCAPES[char] ?? char);
}

interface Known {
  readonly code: ErrorCode;
  readonly text: string;
}

/** By the server's or client's error number (MariaDB manual, "Error Codes"). Its text may quote SQL: it is not passed on for others. */
function failure(
  stderr: string,
  doing: string,
  daemon: Daemon,
  host: Host,
  { name, label, socketPlugin }: Dialect,
): AegirError {
  const number = Number(/ERROR (\d+)/.exec(stderr)?.[1] ?? 0);
  const start =
    host.kind === 'systemd'
      ? `; start it, for example: systemctl start ${name}`
      : '; see the log of the embedded server';
  const known: Readonly<Record<number, Known>> = {
    2002: { code: 'unavailable', text: `${label} does not answer on ${daemon.socket}${start}` },
    2013: { code: 'unavailable', text: `${label} ended in the middle of it; see its log` },
    2006: { code: 'unavailable', text: `${label} ended in the middle of it; see its log` },
    1053: { code: 'unavailable', text: `${label} is shutting down; start it again` },
    1040: { code: 'unavailable', text: `${label} has too many connections; raise its max_connections` },
    1698: {
      code: 'permission_denied',
      text: `the agent may not administer ${label} by its socket; let its user in with ${socketPlugin} authentication`,
    },
    1045: {
      code: 'permission_denied',
      text: `the agent may not administer ${label} by its socket; let its user in with ${socketPlugin} authentication`,
    },
    1021: { code: 'resource_exhausted', text: `the disk of ${label} is full; make room there` },
    1030: {
      code: 'resource_exhausted',
      text: `the storage engine of ${label} failed; see its log, and whether there is room on its disk`,
    },
    1290: {
      code: 'failed_precondition',
      text: `${label} runs with an option that forbids it, for example read-only or skip-grant-tables; take that away`,
    },
    1836: { code: 'failed_precondition', text: `${label} is read-only; make it writable` },
  };
  const full = /Errcode: 28|No space left/i.test(stderr);
  const found = full ? known[1021] : known[number];
  // An error of syntax quotes what it was given.
  const cause = stderr
    .replace(/\*[0-9A-Fa-f]{40}/g, '*…')
    .replace(/\$A\$[^']*/g, '$A$…')
    .slice(0, 4096);
  if (found !== undefined) return new AegirError(found.code, `cannot ${doing}: ${found.text}`, { cause });
  return new AegirError('internal', `cannot ${doing}: ${label} answered with error ${number}; see the agent's log`, {
    cause,
  });
}
