// Of the events of a whole server's log those that change rows of one database, as frames.
// What cannot be brought to another server as that is refused, so that the database is copied instead. Pure.
import { AegirError } from '../../../../shared/error.ts';
import {
  changesNothing,
  EVENT,
  gtidOf,
  isRows,
  isStatementEnd,
  type LogEvent,
  type Statement,
  statementOf,
  tableIdOf,
  tableMapOf,
  truncatedBy,
} from './binlog-event.ts';
import type { Frame } from './change-frame.ts';

export interface ChangesOf {
  /** Frames that the event completes. Throws failed_precondition, with why, for a change that does not travel. */
  take(event: LogEvent): readonly Frame[];
  /** A log ends here: what has no end was never done. Throws when part of that was passed on. */
  rest(): void;
  /** Transactions passed on. */
  count(): number;
}

interface Group {
  readonly at: string;
  readonly isAlone: boolean;
  /** Tables of this database that the statement at hand is about. */
  readonly ours: Set<number>;
  events: Buffer[];
  bytes: number;
  /** Frames of it that were passed on, or wait for its end. */
  readonly waiting: Frame[];
  isBegun: boolean;
  hasRows: boolean;
}

/** A transaction that is longer is passed on before it is known to have ended well. */
const HELD_BYTES = 16 * 1024 * 1024;
const FRAME_BYTES = 1024 * 1024;
const PASSED_OVER: ReadonlySet<number> = new Set([
  ...[EVENT.stop, EVENT.rotate, EVENT.intvar, EVENT.rand, EVENT.userVariable, EVENT.format, EVENT.heartbeat],
  ...[EVENT.annotate, EVENT.checkpoint, EVENT.gtidList],
]);

export function createChangesOf(database: string): ChangesOf {
  let group: Group | undefined;
  let count = 0;

  /** Frames of events that wait become one; those of a long transaction go on their way. */
  const cut = (open: Group, atEnd: boolean): readonly Frame[] => {
    if (open.bytes > 0) open.waiting.push({ kind: 'rows', events: Buffer.concat(open.events) });
    open.events = [];
    open.bytes = 0;
    const held = open.waiting.reduce((sum, frame) => sum + (frame.kind === 'rows' ? frame.events.length : 0), 0);
    if (!atEnd && held < HELD_BYTES) return [];
    const frames = open.waiting.splice(0);
    if (frames.length === 0 || open.isBegun) return frames;
    open.isBegun = true;
    return [{ kind: 'begin', at: open.at }, ...frames];
  };
  const keep = (open: Group, event: Buffer): readonly Frame[] => {
    open.events.push(event);
    open.bytes += event.length;
    return open.bytes < FRAME_BYTES ? [] : cut(open, false);
  };
  const ended = (open: Group, at: string): readonly Frame[] => {
    const frames = cut(open, true);
    group = undefined;
    if (!open.isBegun) return [];
    count += 1;
    return [...frames, { kind: 'commit', at }];
  };
  const undone = (open: Group): void => {
    group = undefined;
    if (open.isBegun) throw unfit('a long transaction was undone');
  };
  const mentions = (statement: Statement): boolean =>
    statement.database === database || includes(statement.text, database);

  const takeStatement = (open: Group, event: LogEvent): readonly Frame[] => {
    const statement = statementOf(event);
    const words = statement.text.slice(0, 40).trim().toUpperCase();
    // What was prepared before the copy is not in it, and what ends it does not say whose it is.
    if (words.startsWith('XA ')) throw unfit('a transaction has two phases (XA)');
    if (!open.isAlone) {
      if (words === 'COMMIT') return ended(open, event.end);
      // It is there only where tables without transactions keep what was undone.
      if (words === 'ROLLBACK' && open.ours.size + open.events.length + open.waiting.length > 0) {
        throw unfit('a transaction was undone in part');
      }
      if (words === 'ROLLBACK') undone(open);
      if (words === 'ROLLBACK' || words.startsWith('SAVEPOINT ')) return [];
      if (open.hasRows) throw unfit('a statement is in one transaction with rows');
    }
    if (mentions(statement) && !(open.isAlone && changesNothing(statement))) {
      // What another one does depends on its session, on the hour and on who runs it, and may not be done twice.
      const table = open.isAlone && statement.database === database ? truncatedBy(statement) : undefined;
      if (table === undefined) throw unfit('its tables were changed');
      open.waiting.push({ kind: 'truncate', table });
    }
    return open.isAlone ? ended(open, event.end) : [];
  };

  return {
    take(event) {
      const { type } = event;
      if (type === EVENT.gtid) {
        if (group !== undefined) undone(group);
        const { isAlone, isPrepared } = gtidOf(event);
        if (isPrepared) throw unfit('a transaction has two phases (XA)');
        group = {
          ...{ at: event.at, isAlone, ours: new Set(), events: [], bytes: 0, waiting: [] },
          ...{ isBegun: false, hasRows: false },
        };
        return [];
      }
      if (PASSED_OVER.has(type) || (event.isIgnorable && group === undefined)) return [];
      if (type === EVENT.encryption) throw unfit('the log is encrypted');
      // Outside of one it is of a time before there were any, or we began in its middle.
      if (group === undefined) throw unfit('something stands outside of transactions');
      if (type === EVENT.query) return takeStatement(group, event);
      if (type === EVENT.xid) return ended(group, event.end);
      if (type === EVENT.tableMap) {
        const map = tableMapOf(event.bytes);
        if (map === undefined) throw unfit('it is unreadable');
        if (map.database !== database) return [];
        group.ours.add(map.id);
        return keep(group, event.bytes);
      }
      if (isRows(type)) {
        const isOurs = group.ours.has(tableIdOf(event.bytes));
        if (isStatementEnd(event.bytes)) group.ours.clear();
        if (!isOurs) return [];
        group.hasRows = true;
        return keep(group, event.bytes);
      }
      if (group.ours.size === 0 && event.isIgnorable) return [];
      throw unfit(`an event is of type ${type}`);
    },
    rest() {
      if (group !== undefined) undone(group);
    },
    count: () => count,
  };
}

/** Names are compared as servers with lower_case_table_names do: too much rather than too little. */
function includes(text: string, name: string): boolean {
  return text.toLowerCase().includes(name.toLowerCase());
}

function unfit(why: string): AegirError {
  const text = `cannot bring changes of a database to another server: ${why}; make the copy anew`;
  return new AegirError('failed_precondition', text, { untouched: true });
}
