// Events of MariaDB's binary log (version 4): their header, and what is looked at in those that change something. See
// "2-Binlog Event Header" and the pages of each event in MariaDB's manual, "Replication Protocol". Pure.
import { crc32 } from 'node:zlib';
import { AegirError } from '../../../../shared/error.ts';

export const EVENT = {
  query: 2,
  stop: 3,
  rotate: 4,
  intvar: 5,
  rand: 13,
  userVariable: 14,
  format: 15,
  xid: 16,
  tableMap: 19,
  writeRows: 23,
  updateRows: 24,
  deleteRows: 25,
  heartbeat: 27,
  annotate: 160,
  checkpoint: 161,
  gtid: 162,
  gtidList: 163,
  encryption: 164,
} as const;

export const HEADER_BYTES = 19;
export const CHECKSUM_BYTES = 4;
/** A longer one is more than servers take in one packet, unless somebody raised that; and memory. */
export const MOST_EVENT_BYTES = 16 * 1024 * 1024;

/** Of rows: the last of its statement. */
const STATEMENT_END = 1;
const ROWS: ReadonlySet<number> = new Set([EVENT.writeRows, EVENT.updateRows, EVENT.deleteRows]);

export interface LogEvent {
  readonly type: number;
  /** LOG_EVENT_IGNORABLE_F: who does not know it may pass over it. */
  readonly isIgnorable: boolean;
  /** FILE:POSITION of its first byte, and of the byte after it. */
  readonly at: string;
  readonly end: string;
  /** With its header, without a checksum. */
  readonly bytes: Buffer;
}

export function isRows(type: number): boolean {
  return ROWS.has(type);
}

export function sizeOf(header: Buffer): number {
  return header.readUInt32LE(9);
}

/** bytes: a whole event. The same without the checksum, if it has one. Throws data_loss when it is not whole. */
export function withoutChecksum(bytes: Buffer, hasChecksum: boolean): Buffer {
  if (!hasChecksum) return Buffer.from(bytes);
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < HEADER_BYTES || crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) {
    throw new AegirError('data_loss', 'cannot read the binary log: an event of it is damaged, or none begins there');
  }
  const event = Buffer.from(bytes.subarray(0, end));
  event.writeUInt32LE(end, 9);
  return event;
}

/** Of the event that a log begins with, as it stands there: whether the others have checksums. Throws for an older format. */
export function hasChecksums(format: Buffer): boolean {
  const algorithm = format[format.length - CHECKSUM_BYTES - 1];
  if (format[4] !== EVENT.format || format.readUInt16LE(HEADER_BYTES) !== 4 || algorithm === undefined) {
    throw new AegirError('failed_precondition', 'cannot read the binary log: it is of another format');
  }
  return algorithm === 1;
}

export interface Gtid {
  /** It is followed by one statement, and by no end. */
  readonly isAlone: boolean;
  /** One end of a transaction in two phases (XA). */
  readonly isPrepared: boolean;
}

export function gtidOf({ bytes }: LogEvent): Gtid {
  const flags = bytes[HEADER_BYTES + 12] ?? 0;
  return { isAlone: (flags & 1) !== 0, isPrepared: (flags & (64 | 128)) !== 0 };
}

export interface TableMap {
  readonly id: number;
  readonly database: string;
}

/** Names are UTF-8. undefined when it is none. */
export function tableMapOf(bytes: Buffer): TableMap | undefined {
  const at = HEADER_BYTES + 8;
  const length = bytes[at];
  if (length === undefined || bytes[at + 1 + length] !== 0) return undefined;
  const tableLength = bytes[at + length + 2];
  if (tableLength === undefined || bytes[at + length + 3 + tableLength] !== 0) return undefined;
  return { id: bytes.readUIntLE(HEADER_BYTES, 6), database: bytes.toString('utf8', at + 1, at + 1 + length) };
}

export function tableIdOf(rows: Buffer): number {
  return rows.length < HEADER_BYTES + 8 ? -1 : rows.readUIntLE(HEADER_BYTES, 6);
}

export function isStatementEnd(rows: Buffer): boolean {
  return (rows.readUInt16LE(HEADER_BYTES + 6) & STATEMENT_END) !== 0;
}

export function endStatement(rows: Buffer): void {
  rows.writeUInt16LE(rows.readUInt16LE(HEADER_BYTES + 6) | STATEMENT_END, HEADER_BYTES + 6);
}

export interface Statement {
  /** That was in use. */
  readonly database: string;
  /** In the character set of its client. */
  readonly text: string;
}

/** text: byte by byte (latin1). Throws data_loss when it is not whole. */
export function statementOf({ bytes }: LogEvent): Statement {
  const post = HEADER_BYTES + 13;
  try {
    const nameLength = bytes.readUInt8(HEADER_BYTES + 8);
    const name = post + bytes.readUInt16LE(HEADER_BYTES + 11);
    if (name + nameLength + 1 > bytes.length) throw new RangeError('its name is cut off');
    const database = bytes.toString('utf8', name, name + nameLength);
    return { database, text: bytes.toString('latin1', name + nameLength + 1) };
  } catch (cause) {
    throw new AegirError('data_loss', 'cannot read the binary log: a statement in it is cut off', { cause });
  }
}

/** The table, where the statement is nothing but its TRUNCATE, in words that mean the same in every sql_mode. */
export function truncatedBy({ database, text }: Statement): string | undefined {
  const name = '(?:`([A-Za-z0-9_$]{1,64})`|([A-Za-z0-9_$]{1,64}))';
  const whole = new RegExp(`^\\s*TRUNCATE(?:\\s+TABLE)?\\s*(?:${name}\\s*\\.\\s*)?${name}\\s*;?\\s*$`, 'i');
  const [, quotedIn, plainIn, quoted, plain] = whole.exec(text) ?? [];
  const within = quotedIn ?? plainIn ?? database;
  return within === database ? (quoted ?? plain) : undefined;
}

/** Of tables that are their session's own, or that says nothing of what is in them. */
export function changesNothing({ text }: Statement): boolean {
  return /^\s*(?:DROP (?:\/\*!40005 TEMPORARY \*\/|TEMPORARY) TABLE|(?:OPTIMIZE|ANALYZE)\s)/i.test(text);
}
