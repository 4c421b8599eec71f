// What the agent itself must remember of sites between two starts: when their cron ran, how far their logs were read,
// what they used, and what of that the master was told. One SQLite database: what belongs together is written in one
// transaction, so that a crash counts no line twice and no run begins twice.
import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AegirError } from '../shared/error.ts';

export interface SiteBook {
  readonly db: DatabaseSync;
  /** All or nothing; durable when it returns. doing completes "cannot …". */
  write<T>(doing: string, work: () => T): T;
  /** Grows with every call, over restarts: a row that bears a higher one than the master was told of is news. */
  nextVersion(): number;
  close(): void;
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS owner (server_id TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS cron (
  site_id TEXT PRIMARY KEY, entry TEXT NOT NULL, active INTEGER NOT NULL, slot INTEGER NOT NULL,
  run TEXT, run_started INTEGER,
  last_started INTEGER, last_millis INTEGER NOT NULL DEFAULT 0, last_outcome TEXT NOT NULL DEFAULT '',
  last_text TEXT NOT NULL DEFAULT '', failures INTEGER NOT NULL DEFAULT 0,
  version INTEGER NOT NULL, told INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS usage (
  site_id TEXT NOT NULL, day TEXT NOT NULL, requests INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
  s1 INTEGER NOT NULL DEFAULT 0, s2 INTEGER NOT NULL DEFAULT 0, s3 INTEGER NOT NULL DEFAULT 0,
  s4 INTEGER NOT NULL DEFAULT 0, s5 INTEGER NOT NULL DEFAULT 0,
  file_bytes INTEGER, inodes INTEGER, log_bytes INTEGER, database_bytes INTEGER,
  version INTEGER NOT NULL, told INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (site_id, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_read (
  site_id TEXT NOT NULL, file TEXT NOT NULL, offset INTEGER NOT NULL, head_length INTEGER NOT NULL, head TEXT NOT NULL,
  PRIMARY KEY (site_id, file)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;
const VERSION = 1;

/** serverId: whose book it is; another one begins anew. */
export function openSiteBook(dir: string, serverId: string): SiteBook {
  const path = join(dir, 'sites.db');
  const db = openDatabase(dir, path);
  if (db.prepare('SELECT server_id FROM owner').get()?.['server_id'] !== serverId) {
    db.exec('BEGIN IMMEDIATE; DELETE FROM owner; DELETE FROM cron; DELETE FROM usage; DELETE FROM log_read');
    db.prepare('INSERT INTO owner (server_id) VALUES (?)').run(serverId);
    db.exec('COMMIT');
  }
  const raise = db.prepare(`INSERT INTO note (name, value) VALUES ('version', 1)
    ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value`);
  return {
    db,
    write(doing, work) {
      try {
        db.exec('BEGIN IMMEDIATE');
        const answer = work();
        db.exec('COMMIT');
        return answer;
      } catch (cause) {
        if (db.isTransaction) db.exec('ROLLBACK');
        throw bookError(`${doing} in ${path}`, cause);
      }
    },
    nextVersion: () => Number(raise.get()?.['value']),
    close: () => db.close(),
  };
}

function openDatabase(dir: string, path: string): DatabaseSync {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
    const db = new DatabaseSync(path);
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version > VERSION) {
      db.close();
      throw new AegirError(
        'failed_precondition',
        `cannot open ${path}: a newer agent wrote it (form ${version}, known ${VERSION}); install that agent again`,
      );
    }
    db.exec(`BEGIN IMMEDIATE; ${SCHEMA} PRAGMA user_version = ${VERSION}; COMMIT`);
    return db;
  } catch (cause) {
    throw bookError(`open ${path}`, cause);
  }
}

function bookError(doing: string, cause: unknown): AegirError {
  if (cause instanceof AegirError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  if (/locked|busy/.test(why)) {
    const text = `cannot ${doing}: another agent runs on it; stop that one first`;
    return new AegirError('failed_precondition', text, { cause });
  }
  if (/malformed|not a database/.test(why)) {
    const text = `cannot ${doing}: ${why}; move it away, start again and verify the sites of this server`;
    return new AegirError('data_loss', text, { cause });
  }
  if (/full/.test(why)) {
    const text = `cannot ${doing}: ${why}; make room on its disk`;
    return new AegirError('resource_exhausted', text, { cause, retryable: true });
  }
  return new AegirError('internal', `cannot ${doing}: ${why}`, { cause });
}
