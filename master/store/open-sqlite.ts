// The embedded store: one SQLite database in the data directory of one master.
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CamelCasePlugin, Kysely } from 'kysely';
import { AegirError, toAegirError } from '../../shared/error.ts';
import { createAccess } from './access.ts';
import { createStore } from './create-store.ts';
import type { Database } from './database.ts';
import { databaseError } from './database-error.ts';
import { createPrivateFile, type DirectoryLock, lockDirectory } from './directory-lock.ts';
import { migrate } from './migrate.ts';
import { type Migration, migrations } from './migrations/migrations.ts';
import { createSqliteDialect } from './sqlite-dialect.ts';
import type { Store } from './store.ts';

export interface SqliteOptions {
  /** Made with mode 0700 when it is not there. */
  readonly dir: string;
  /** Bounds transaction(); default one minute. */
  readonly transactionMs?: number;
  /** Another list, for tests of migrations. */
  readonly migrations?: readonly Migration[];
}

/** Throws failed_precondition when another master has the directory, or a newer one has been here. */
export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  const { dir } = options;
  const lock = takeDirectory(dir);
  try {
    const db = new Kysely<Database>({
      dialect: createSqliteDialect(openDatabase(dir)),
      plugins: [new CamelCasePlugin()],
    });
    const release = async (): Promise<void> => {
      try {
        await db.destroy();
      } finally {
        lock.release();
      }
    };
    try {
      await migrate(db, 'sqlite', options.migrations ?? migrations);
    } catch (thrown) {
      await db.destroy();
      throw thrown;
    }
    return createStore(createAccess(db, 'sqlite', options.transactionMs ?? 60_000), release);
  } catch (thrown) {
    lock.release();
    throw databaseError(thrown, `open the store in ${dir}`) ?? toAegirError(thrown, `open the store in ${dir}`);
  }
}

function takeDirectory(dir: string): DirectoryLock {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return lockDirectory(dir);
  } catch (thrown) {
    throw toAegirError(thrown, `use the data directory ${dir}`);
  }
}

function openDatabase(dir: string): DatabaseSync {
  const path = join(dir, 'aegir.db');
  createPrivateFile(path);
  // The file's name must be as durable as what is in it.
  const directory = openSync(dir, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
  const database = new DatabaseSync(path, { timeout: 5000, enableForeignKeyConstraints: true });
  try {
    expect(database, 'journal_mode', 'wal', 'its file system must have shared memory: not a network file system');
    expect(database, 'synchronous', 2, 'a commit must be durable');
    expect(database, 'foreign_keys', 1, 'references must be checked');
    database.exec('pragma journal_size_limit = 67108864');
  } catch (thrown) {
    database.close();
    throw thrown;
  }
  return database;
}

/** SQLite answers a setting it cannot follow with the one in force, not with an error. */
function expect(database: DatabaseSync, pragma: string, value: string | number, why: string): void {
  database.exec(`pragma ${pragma} = ${value}`);
  const row = database.prepare(`pragma ${pragma}`).get();
  if (row?.[pragma] !== value) {
    throw new AegirError('failed_precondition', `cannot open the store: SQLite refuses ${pragma} = ${value}; ${why}`);
  }
}
