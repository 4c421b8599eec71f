// How the tables reach the database, outside and inside of a transaction: when a transaction begins, who waits for
// whom, what is tried again. Tables never begin transactions themselves.
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { AegirError, toAegirError } from '../../shared/error.ts';
import type { DatabaseKind, Db } from './database.ts';
import { databaseError, isBrokenConnection, isConflict } from './database-error.ts';

/** Namespaces of our advisory locks in PostgreSQL. */
export const LOCK_GRAPH = 0x61_65_67_01;
export const LOCK_EVENTS = 0x61_65_67_02;

const ATTEMPTS = 6;

export interface Access {
  readonly kind: DatabaseKind;
  /** doing completes "cannot …" in errors. One statement: outside of a transaction, two would see two states. */
  read<T>(doing: string, work: (db: Db) => Promise<T>): Promise<T>;
  /** All or nothing. */
  write<T>(doing: string, work: (db: Db) => Promise<T>): Promise<T>;
  /** A write that no other graph write or transaction() runs beside. */
  writeGraph<T>(doing: string, work: (db: Db) => Promise<T>): Promise<T>;
}

export interface OuterAccess extends Access {
  transaction<T>(work: (access: Access) => Promise<T>): Promise<T>;
  /** Later calls are refused. */
  shut(): void;
}

interface Mark {
  open: boolean;
}

/** timeoutMs bounds transaction(): while one is open on SQLite, everybody else waits. */
export function createAccess(db: Db, kind: DatabaseKind, timeoutMs: number): OuterAccess {
  // Knows from where a call comes: a call to the store itself inside its transaction would wait for ever.
  const inside = new AsyncLocalStorage<Mark>();
  let shut = false;

  function guard(doing: string): void {
    if (shut) throw new AegirError('unavailable', `cannot ${doing}: the store is closed`);
    if (!inside.getStore()?.open) return;
    throw new AegirError(
      'internal',
      `cannot ${doing}: the store was called inside its own transaction, which would wait for itself; call the tx given`,
    );
  }

  function begin<T>(graph: boolean, work: (db: Db) => Promise<T>): Promise<T> {
    return again((begun) =>
      db.transaction().execute(async (trx) => {
        begun();
        if (graph) await lockGraph(trx, kind);
        return work(trx);
      }),
    );
  }

  async function named<T>(doing: string, run: () => Promise<T>): Promise<T> {
    guard(doing);
    try {
      return await run();
    } catch (thrown) {
      throw databaseError(thrown, doing) ?? toAegirError(thrown, doing);
    }
  }

  return {
    kind,
    read: (doing, work) => named(doing, () => again(() => work(db))),
    write: (doing, work) => named(doing, () => begin(false, work)),
    writeGraph: (doing, work) => named(doing, () => begin(true, work)),
    transaction: async (work) => {
      guard('begin a transaction');
      let ofWork: unknown;
      try {
        return await begin(true, async (trx) => {
          const mark: Mark = { open: true };
          const tx = createTxAccess(trx, kind, mark);
          let result: Awaited<ReturnType<typeof work>>;
          try {
            result = await inside.run(mark, () => within(timeoutMs, work(tx.access)));
          } catch (thrown) {
            ofWork = thrown;
            throw thrown;
          } finally {
            mark.open = false;
            await tx.settled();
          }
          tx.check();
          return result;
        });
      } catch (thrown) {
        if (thrown === ofWork) throw thrown;
        throw databaseError(thrown, 'save a transaction') ?? toAegirError(thrown, 'save a transaction');
      }
    },
    shut: () => {
      shut = true;
    },
  };
}

/** Calls run one after the other; each write in a savepoint, so that one whose failure is caught left nothing. */
function createTxAccess(trx: Db, kind: DatabaseKind, mark: Mark) {
  let tail: Promise<unknown> = Promise.resolve();
  let failure: AegirError | undefined;

  function queue<T>(doing: string, run: () => Promise<T>): Promise<T> {
    if (!mark.open) {
      return Promise.reject(new AegirError('internal', `cannot ${doing}: its transaction has ended`));
    }
    const done = tail.then(run);
    tail = done.catch(() => undefined); // whoever called it sees the failure
    return done;
  }

  const write: Access['write'] = (doing, work) =>
    queue(doing, async () => {
      let saved = false;
      try {
        await sql`savepoint one_call`.execute(trx);
        saved = true;
        const result = await work(trx);
        await sql`release savepoint one_call`.execute(trx);
        return result;
      } catch (thrown) {
        const error = databaseError(thrown, doing) ?? toAegirError(thrown, doing);
        try {
          if (saved) await sql`rollback to savepoint one_call`.execute(trx);
          else failure = error;
        } catch {
          failure = error; // the connection is gone or SQLite rolled all back: the first error says why
        }
        throw error;
      }
    });

  const access: Access = {
    kind,
    read: (doing, work) =>
      queue(doing, async () => {
        try {
          return await work(trx);
        } catch (thrown) {
          // PostgreSQL answers the commit of a transaction in which a statement failed with a rollback, without error.
          failure = databaseError(thrown, doing) ?? toAegirError(thrown, doing);
          throw failure;
        }
      }),
    write,
    writeGraph: write, // transaction() holds the lock
  };
  return {
    access,
    settled: () => tail,
    check: () => {
      if (failure) throw failure;
    },
  };
}

async function lockGraph(db: Db, kind: DatabaseKind): Promise<void> {
  if (kind === 'postgresql') await sql`select pg_advisory_xact_lock(${sql.lit(LOCK_GRAPH)}, 0)`.execute(db);
}

/**
 * After a conflict; and when a connection that lay in the pool had broken before the transaction began on it, as all
 * have after a restart of PostgreSQL.
 */
async function again<T>(run: (begun: () => void) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    let began = false;
    try {
      return await run(() => {
        began = true;
      });
    } catch (thrown) {
      if (attempt >= ATTEMPTS || !(isConflict(thrown) || (!began && isBrokenConnection(thrown)))) throw thrown;
      await sleep(Math.random() * 10 * 2 ** attempt);
    }
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new AegirError('deadline_exceeded', `cannot save a transaction: it was not done within ${ms} ms`));
    }, ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
