// Talks to MariaDB or MySQL by its own client program over the socket: SQL on standard input, rows back, errors for people.
import type { Daemon, Host } from '../../../host/host.ts';
import type { Dialect } from './dialect.ts';
import { failure } from './failure.ts';

export interface Client {
  /** Rows of tab-separated fields, unescaped; '\N' is null. Throws AegirError. */
  query(sql: string, doing: string, signal?: AbortSignal): Promise<readonly (readonly (string | null)[])[]>;
  /** The same by names of columns, of one statement; null is empty. */
  table(sql: string, doing: string, signal?: AbortSignal): Promise<readonly Readonly<Record<string, string>>[]>;
}

const TIMEOUT_MS = 60_000;

/** timeoutMs: of one query; a minute when not said. */
export function createClient(host: Host, daemon: Daemon, dialect: Dialect, timeoutMs = TIMEOUT_MS): Client {
  const ask =
    (names: boolean) =>
    async (sql: string, doing: string, signal?: AbortSignal): Promise<readonly (readonly (string | null)[])[]> => {
      const { code, stdout, stderr } = await host.run({
        argv: [
          dialect.name,
          '--no-defaults',
          '--batch',
          ...(names ? [] : ['--skip-column-names']),
          '--default-character-set=utf8mb4',
          '--skip-reconnect',
          // The server's own mode may change how it quotes what it answers.
          "--init-command=SET SESSION sql_mode = ''",
          `--socket=${daemon.socket}`,
          `--user=${administrator(host, daemon)}`,
        ],
        input: sql,
        timeoutMs,
        ...(signal === undefined ? {} : { signal }),
      });
      if (code !== 0) throw failure(stderr, doing, daemon, host, dialect);
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split('\t').map(unescaped));
    };
  return {
    query: ask(false),
    async table(sql, doing, signal) {
      const [names = [], ...rows] = await ask(true)(sql, doing, signal);
      return rows.map((row) => Object.fromEntries(names.map((name, at) => [name ?? '', row[at] ?? ''])));
    },
  };
}

/** The run user of an embedded server, root on a systemd host: each by socket authentication. */
export function administrator(host: Host, daemon: Daemon): string {
  return host.kind === 'embedded' ? daemon.user : 'root';
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', '0': '\0', '\\': '\\' };

function unescaped(field: string): string | null {
  if (field === '\\N' || field === 'NULL') return null;
  return field.replace(/\\(.)/g, (_, char: string) => ESCAPES[char] ?? char);
}
