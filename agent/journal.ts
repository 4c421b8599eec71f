// The agent's memory of actions: what began, how it ended, and the highest generation seen per resource.
// SQLite with synchronous=FULL: a commit is on the disk when the call returns, a torn write at the end of its log is
// dropped on opening, and a full disk fails the call instead of leaving half a record.
import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AegirError } from '../shared/error.ts';
import { ActionResult } from '../shared/gen/aegir/v1/agent.ts';

export interface JournalEntry {
  /** Boot of the agent in which it began last. */
  readonly boot: string;
  readonly resource: string;
  /** undefined until it ended. */
  readonly result: ActionResult | undefined;
}

/** Every write is durable when it returns. Results hold login links until they are forgotten: the file is 0600. */
export interface Journal {
  /** Highest generation seen for the resource; 0 for none. */
  highest(resource: string): bigint;
  /** The highest of all resources; 0 for none. */
  highestOfAll(): bigint;
  /** Raises the highest generation; a lower one changes nothing. */
  raise(resource: string, generation: bigint): void;
  look(id: string): JournalEntry | undefined;
  /** Before acting. Repeated in a later boot: the entry is this boot's now. */
  started(id: string, generation: bigint, resource: string): void;
  /** After acting, or instead of it. */
  ended(id: string, resource: string, result: ActionResult): void;
  /** The master has the result. */
  forget(id: string): void;
  /** Ids of actions not forgotten, oldest first. */
  open(): readonly string[];
  /** Results not forgotten, oldest first. */
  results(): readonly ActionResult[];
  /** True when no further action may begin until the master acknowledges some. */
  full(): boolean;
  close(): void;
}

export interface JournalOptions {
  /** This start of the agent. */
  readonly boot: string;
  /** Whose journal it is: another server id begins an empty one. */
  readonly serverId: string;
  readonly now: () => number;
  /** Most resources whose generation is kept; the ones untouched longest go first. Default 20 000. */
  readonly maxResources?: number;
  /** Most actions not forgotten. Default 1 000. */
  readonly maxOpen?: number;
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS owner (server_id TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS fence (
  resource TEXT PRIMARY KEY, generation INTEGER NOT NULL, touched INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS action (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, boot TEXT NOT NULL, resource TEXT NOT NULL,
  touched INTEGER NOT NULL, result BLOB
) STRICT;
`;
const VERSION = 1;
const KEEP_RESULTS_MS = 30 * 24 * 3600 * 1000; // a master that never asked again in a month has lost the task
const PRUNE_EVERY = 500;

export function openJournal(dir: string, options: JournalOptions): Journal {
  const path = join(dir, 'journal.db');
  const maxResources = options.maxResources ?? 20_000;
  const maxOpen = options.maxOpen ?? 1_000;
  const db = openDatabase(dir, path);
  claimFor(db, options.serverId);

  const prune = () => {
    db.prepare('DELETE FROM action WHERE result IS NOT NULL AND touched < ?').run(options.now() - KEEP_RESULTS_MS);
    db.prepare(
      'DELETE FROM fence WHERE resource IN (SELECT resource FROM fence ORDER BY touched DESC LIMIT -1 OFFSET ?)',
    ).run(maxResources);
  };
  prune();

  const highestOfAll = db.prepare('SELECT max(generation) AS generation FROM fence');
  const highest = db.prepare('SELECT generation FROM fence WHERE resource = ?');
  highest.setReadBigInts(true);
  const raise = db.prepare(`INSERT INTO fence (resource, generation, touched) VALUES (?, ?, ?)
    ON CONFLICT (resource) DO UPDATE SET generation = max(generation, excluded.generation), touched = excluded.touched`);
  const look = db.prepare('SELECT boot, resource, result FROM action WHERE id = ?');
  const start = db.prepare(`INSERT INTO action (id, boot, resource, touched) VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET boot = excluded.boot, touched = excluded.touched`);
  const end = db.prepare(`INSERT INTO action (id, boot, resource, touched, result) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET result = excluded.result, touched = excluded.touched`);
  const forget = db.prepare('DELETE FROM action WHERE id = ?');
  const open = db.prepare('SELECT id FROM action ORDER BY seq');
  const results = db.prepare('SELECT result FROM action WHERE result IS NOT NULL ORDER BY seq');
  const count = db.prepare('SELECT count(*) AS n FROM action');

  let sincePrune = 0;
  const transaction = (doing: string, work: () => void) => {
    try {
      db.exec('BEGIN IMMEDIATE');
      work();
      db.exec('COMMIT');
    } catch (cause) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw journalError(`${doing} in the journal ${path}`, cause);
    }
  };

  return {
    highestOfAll: () => BigInt((highestOfAll.get()?.['generation'] as bigint | null | undefined) ?? 0n),
    highest: (resource) => BigInt((highest.get(resource)?.['generation'] as bigint | undefined) ?? 0n),
    raise(resource, generation) {
      transaction('note a generation', () => raise.run(resource, generation, options.now()));
    },
    look(id) {
      const row = look.get(id);
      if (row === undefined) return undefined;
      const bytes = row['result'] as Uint8Array | null;
      return {
        boot: String(row['boot']),
        resource: String(row['resource']),
        result: bytes === null ? undefined : ActionResult.decode(bytes),
      };
    },
    started(id, generation, resource) {
      transaction('note the start of an action', () => {
        raise.run(resource, generation, options.now());
        start.run(id, options.boot, resource, options.now());
        sincePrune += 1;
        if (sincePrune >= PRUNE_EVERY) {
          sincePrune = 0;
          prune();
        }
      });
    },
    ended(id, resource, result) {
      const bytes = ActionResult.encode(result).finish();
      transaction('note the result of an action', () => end.run(id, options.boot, resource, options.now(), bytes));
    },
    forget(id) {
      transaction('forget an action', () => forget.run(id));
    },
    open: () => open.all().map((row) => String(row['id'])),
    results: () => results.all().map((row) => ActionResult.decode(row['result'] as Uint8Array)),
    full: () => Number(count.get()?.['n']) >= maxOpen,
    close: () => db.close(),
  };
}

function openDatabase(dir: string, path: string): DatabaseSync {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    // Made by us first, so that SQLite's own files beside it get the same mode.
    if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
    const db = new DatabaseSync(path);
    // Exclusive: a second agent on the same state is refused instead of acting twice.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version > VERSION) {
      db.close();
      throw new AegirError(
        'failed_precondition',
        `cannot open the journal ${path}: a newer agent wrote it (form ${version}, known ${VERSION}); install that agent again`,
      );
    }
    db.exec(`BEGIN IMMEDIATE; ${SCHEMA} PRAGMA user_version = ${VERSION}; COMMIT`);
    return db;
  } catch (cause) {
    throw journalError(`open the journal ${path}`, cause);
  }
}

/** Generations and ids of another identity mean nothing to this one. */
function claimFor(db: DatabaseSync, serverId: string): void {
  if (db.prepare('SELECT server_id FROM owner').get()?.['server_id'] === serverId) return;
  db.exec('BEGIN IMMEDIATE; DELETE FROM owner; DELETE FROM fence; DELETE FROM action;');
  db.prepare('INSERT INTO owner (server_id) VALUES (?)').run(serverId);
  db.exec('COMMIT');
}

function journalError(doing: string, cause: unknown): AegirError {
  if (cause instanceof AegirError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  if (/locked|busy/.test(why)) {
    return new AegirError('failed_precondition', `cannot ${doing}: another agent runs on it; stop that one first`, {
      cause,
    });
  }
  if (/malformed|not a database/.test(why)) {
    return new AegirError(
      'data_loss',
      `cannot ${doing}: ${why}; move it away and start again: actions look before they act`,
      { cause },
    );
  }
  if (/full/.test(why)) {
    return new AegirError('resource_exhausted', `cannot ${doing}: ${why}; make room on its disk`, {
      cause,
      retryable: true,
    });
  }
  return new AegirError('internal', `cannot ${doing}: ${why}`, { cause });
}
