// Kysely over node:sqlite: one connection, handed to one user at a time, in the order of asking.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { AegirError } from '../../shared/error.ts';

const MOST_STATEMENTS = 200;
const MOST_WAITING = 10_000;

/** The database is closed with Kysely. */
export function createSqliteDialect(database: DatabaseSync): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => createDriver(database),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

function createDriver(database: DatabaseSync): Driver {
  const connection = createConnection(database);
  const turns = createTurns();
  return {
    init: async () => {},
    acquireConnection: async () => {
      await turns.take();
      return connection;
    },
    releaseConnection: async () => turns.pass(),
    // immediate: a transaction that cannot write is refused at its first statement, not in its middle.
    beginTransaction: async () => database.exec('begin immediate'),
    commitTransaction: async () => database.exec('commit'),
    rollbackTransaction: async () => {
      // A full disk, for example, rolls back by itself.
      if (database.isTransaction) database.exec('rollback');
    },
    destroy: async () => {
      await turns.take();
      database.close();
    },
  };
}

function createConnection(database: DatabaseSync): DatabaseConnection {
  const statements = new Map<string, StatementSync>();

  function prepared(sql: string): StatementSync {
    const known = statements.get(sql);
    if (known) return known;
    const oldest = statements.keys().next();
    if (statements.size >= MOST_STATEMENTS && !oldest.done) statements.delete(oldest.value);
    const fresh = database.prepare(sql);
    statements.set(sql, fresh);
    return fresh;
  }

  return {
    executeQuery: async <R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> => {
      const statement = prepared(sql);
      const values = parameters as SQLInputValue[];
      if (statement.columns().length > 0) {
        const rows = statement.all(...values) as R[];
        return { rows };
      }
      const { changes } = statement.run(...values);
      return { rows: [], numAffectedRows: BigInt(changes) };
    },
    streamQuery: () => {
      throw new AegirError('unimplemented', 'cannot stream rows from SQLite: read pages instead');
    },
  };
}

/** First come, first served. */
function createTurns() {
  const waiting: (() => void)[] = [];
  let taken = false;
  return {
    take: async (): Promise<void> => {
      if (!taken) {
        taken = true;
        return;
      }
      if (waiting.length >= MOST_WAITING) {
        throw new AegirError(
          'resource_exhausted',
          `cannot use the store: ${MOST_WAITING} callers wait for it already`,
          {
            retryable: true,
          },
        );
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    },
    pass: (): void => {
      const next = waiting.shift();
      if (next) next();
      else taken = false;
    },
  };
}
