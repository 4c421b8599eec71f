// The store for several masters: one PostgreSQL database that all of them use.
import { CamelCasePlugin, Kysely, PostgresDialect, type PostgresPool, sql } from 'kysely';
import pg from 'pg';
import { AegirError } from '../../shared/error.ts';
import { createAccess } from './access.ts';
import { createStore } from './create-store.ts';
import type { Database, Db } from './database.ts';
import { databaseError, postgresState } from './database-error.ts';
import { migrate } from './migrate.ts';
import { type Migration, migrations } from './migrations/migrations.ts';
import type { Store } from './store.ts';

const STATEMENT_MS = 30_000;

export interface PostgresConnection {
  /** Host name, or the directory of a UNIX socket. */
  readonly host: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly ssl?: pg.ClientConfig['ssl'];
}

/** postgres://user:password@host:port/database?sslmode=…, or the parts. */
export type PostgresAddress = { readonly url: string } | { readonly connection: PostgresConnection };

export type PostgresOptions = PostgresAddress & {
  /** Connections at most; default 10. */
  readonly connections?: number;
  /** Told when an idle connection breaks; the next call makes a new one. */
  onConnectionLost?(cause: Error): void;
  /** Bounds transaction(); default one minute. */
  readonly transactionMs?: number;
  /** Another list, for tests of migrations. */
  readonly migrations?: readonly Migration[];
};

/** Throws unavailable when PostgreSQL does not answer; failed_precondition when the database will not do. */
export async function openPostgresStore(options: PostgresOptions): Promise<Store> {
  const transactionMs = options.transactionMs ?? 60_000;
  const pool = createPool(options, transactionMs);
  const db = new Kysely<Database>({
    dialect: new PostgresDialect({ pool: dropBroken(pool) }),
    plugins: [new CamelCasePlugin()],
  });
  try {
    await checkServer(db);
    await migrate(db, 'postgresql', options.migrations ?? migrations);
  } catch (thrown) {
    await db.destroy();
    throw databaseError(thrown, 'open the store in PostgreSQL') ?? thrown;
  }
  return createStore(createAccess(db, 'postgresql', transactionMs), () => db.destroy());
}

function createPool(options: PostgresOptions, transactionMs: number): pg.Pool {
  const pool = new pg.Pool({
    ...('url' in options ? { connectionString: options.url } : options.connection),
    max: options.connections ?? 10,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    statement_timeout: STATEMENT_MS,
    // Only for a master that is gone: transaction() ends its own, and a session that both end at once breaks.
    idle_in_transaction_session_timeout: transactionMs + 5_000,
    // For networks that swallow packets: the server's own limits come first.
    query_timeout: STATEMENT_MS + 15_000,
    fallback_application_name: 'aegir-master',
    types: { getTypeParser: typeParser as typeof pg.types.getTypeParser },
  });
  pool.on('error', (cause) => options.onConnectionLost?.(cause));
  return pool;
}

/** 64-bit integers as numbers: all of ours are below 2^53. */
function typeParser(oid: number, format?: 'text' | 'binary'): unknown {
  if (oid === pg.types.builtins.INT8 && format !== 'binary') return Number;
  return pg.types.getTypeParser(oid, format as 'text');
}

/** After an error that PostgreSQL itself did not send, nobody knows what a connection will say next: end it. */
function dropBroken(pool: pg.Pool): PostgresPool {
  return {
    end: () => pool.end(),
    connect: async () => {
      const client = await pool.connect();
      let broken: unknown;
      // The pool listens only while a client is idle, and an error that nobody hears ends the process.
      const onError = (cause: Error): void => {
        broken ??= cause;
      };
      client.on('error', onError);
      const query = async (text: unknown, values?: readonly unknown[]): Promise<unknown> => {
        if (broken !== undefined) throw broken;
        try {
          return await client.query(text as string, values as unknown[]);
        } catch (thrown) {
          if (postgresState(thrown) === undefined) broken ??= thrown;
          throw thrown;
        }
      };
      return {
        query: query as Awaited<ReturnType<PostgresPool['connect']>>['query'],
        release: () => {
          client.off('error', onError);
          client.release(broken !== undefined);
        },
      };
    },
  };
}

async function checkServer(db: Db): Promise<void> {
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot open the store in PostgreSQL: ${why}`);
  };
  const { rows } = await sql<{ encoding: string; commit: string; version: string }>`
    select current_setting('server_encoding') as encoding, current_setting('synchronous_commit') as commit,
      current_setting('server_version_num') as version`.execute(db);
  const server = rows[0];
  if (!server) return refuse('it does not say what it is');
  if (Number(server.version) < 120_000) refuse('it is older than version 12; use a newer one');
  if (server.encoding !== 'UTF8') refuse(`the database's encoding is ${server.encoding}; create one with UTF8`);
  if (server.commit === 'off') refuse('synchronous_commit is off, so a commit may be lost; set it to on');
}
