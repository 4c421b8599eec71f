// What the two databases throw, as our errors. Their messages and details stay in the cause: they may quote values.
import { AegirError, type ErrorCode } from '../../shared/error.ts';

const POSTGRES_STATE = /^[0-9A-Z]{5}$/;
const GONE =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered|Client was closed|Query read timeout|Cannot use a pool after)/;

interface Known {
  readonly code: ErrorCode;
  readonly why: string;
}

/** By the primary result code: https://sqlite.org/rescode.html */
const SQLITE: { readonly [code: number]: Known } = {
  5: { code: 'unavailable', why: 'another program holds the database; end it' },
  6: { code: 'unavailable', why: 'another program holds the database; end it' },
  8: { code: 'failed_precondition', why: 'the database cannot be written; check the owner and mode of its directory' },
  10: { code: 'data_loss', why: 'the disk fails; look at the kernel log' },
  11: { code: 'data_loss', why: 'the database file is damaged; restore it from a backup' },
  13: { code: 'resource_exhausted', why: 'the disk is full; make room' },
  14: { code: 'failed_precondition', why: 'the database cannot be opened; check the owner and mode of its directory' },
  18: { code: 'invalid_argument', why: 'it is too big' },
  26: { code: 'data_loss', why: 'the file is no SQLite database; restore it from a backup' },
};

/** By the SQLSTATE, or its class (first two characters). */
const POSTGRES: { readonly [state: string]: Known } = {
  '40001': { code: 'aborted', why: 'another writer changed the same rows at the same time' },
  '40P01': { code: 'aborted', why: 'another writer changed the same rows at the same time' },
  '57014': { code: 'deadline_exceeded', why: 'PostgreSQL took too long' },
  '55P03': { code: 'deadline_exceeded', why: 'another writer held the rows for too long' },
  '25P03': { code: 'deadline_exceeded', why: 'the transaction stood idle for too long' },
  '25006': { code: 'unavailable', why: 'this PostgreSQL is a read-only standby; name the primary' },
  '08': { code: 'unavailable', why: 'the connection to PostgreSQL broke' },
  '28': { code: 'failed_precondition', why: 'PostgreSQL refuses the user or password; check the address of the store' },
  '3D': { code: 'failed_precondition', why: 'PostgreSQL has no such database; create it' },
  '42501': { code: 'failed_precondition', why: 'the user lacks rights on the PostgreSQL database or its schema' },
  '53': { code: 'resource_exhausted', why: 'PostgreSQL is out of disk, memory or connections' },
  '57': { code: 'unavailable', why: 'PostgreSQL is starting or shutting down' },
  XX: { code: 'data_loss', why: 'PostgreSQL reports damage; look at its log' },
};

function sqliteCode(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('errcode' in thrown)) return undefined;
  return typeof thrown.errcode === 'number' ? thrown.errcode : undefined;
}

/** SQLSTATE; undefined for what PostgreSQL itself did not say. */
export function postgresState(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown) || !('severity' in thrown)) return undefined;
  return typeof thrown.code === 'string' && POSTGRES_STATE.test(thrown.code) ? thrown.code : undefined;
}

/** One unique index, as both databases name it in their errors. */
export interface UniqueIndex {
  readonly index: string;
  /** table.column, table.column */
  readonly columns: string;
}

export function violates(thrown: unknown, unique: UniqueIndex): boolean {
  if (!(thrown instanceof Error)) return false;
  const code = sqliteCode(thrown);
  if (code === 2067 || code === 1555) return thrown.message.endsWith(`failed: ${unique.columns}`);
  return postgresState(thrown) === '23505' && 'constraint' in thrown && thrown.constraint === unique.index;
}

/** True when the same transaction may simply be run again. */
export function isConflict(thrown: unknown): boolean {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth++) {
    const state = postgresState(error);
    if (state === '40001' || state === '40P01') return true;
  }
  return false;
}

/** True of a connection that was there and is no more; not of a server that cannot be reached. */
export function isBrokenConnection(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  const state = postgresState(thrown);
  // 25P03 and 57P01: the server ended the session, and says so to whoever speaks next.
  if (state !== undefined) return state === '25P03' || state === '57P01' || state.startsWith('08');
  if (/^(Connection terminated|Client has encountered|Client was closed)/.test(thrown.message)) return true;
  return 'syscall' in thrown && /^(read|write)$/.test(`${thrown.syscall}`);
}

/** Undefined for what no database threw. */
export function databaseError(thrown: unknown, doing: string): AegirError | undefined {
  const known = knownError(thrown);
  return known && new AegirError(known.code, `cannot ${doing}: ${known.why}`, { cause: thrown });
}

function knownError(thrown: unknown): Known | undefined {
  const errcode = sqliteCode(thrown);
  if (errcode !== undefined) {
    if (errcode === 787) return foreignKey;
    if (errcode === 2067 || errcode === 1555) return uniqueKey;
    return SQLITE[errcode & 0xff] ?? { code: 'internal', why: 'SQLite refuses it; see the log' };
  }
  const state = postgresState(thrown);
  if (state !== undefined) {
    if (state === '23503') return foreignKey;
    if (state === '23505') return uniqueKey;
    return (
      POSTGRES[state] ?? POSTGRES[state.slice(0, 2)] ?? { code: 'internal', why: 'PostgreSQL refuses it; see the log' }
    );
  }
  if (!(thrown instanceof Error)) return undefined;
  // By the system call: errors of files have some of the same codes.
  const network =
    'syscall' in thrown && 'code' in thrown && /^(connect|getaddrinfo|read|write)$/.test(`${thrown.syscall}`);
  if (network || GONE.test(thrown.message)) {
    return { code: 'unavailable', why: 'PostgreSQL does not answer; check that it runs and the address of the store' };
  }
  return undefined;
}

const foreignKey: Known = { code: 'failed_precondition', why: 'what it refers to is gone, or something still uses it' };
const uniqueKey: Known = { code: 'already_exists', why: 'there is one already' };
