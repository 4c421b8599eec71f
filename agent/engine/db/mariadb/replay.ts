// Rows of another server as BINLOG statements of this one (MariaDB manual, "BINLOG"). Whoever made them is not believed:
// only table maps of this database and rows of those tables pass, each looked at before anything of it is run. Pure.
import { AegirError } from '../../../../shared/error.ts';
import {
  CHECKSUM_BYTES,
  EVENT,
  endStatement,
  HEADER_BYTES,
  isRows,
  isStatementEnd,
  sizeOf,
  tableIdOf,
  tableMapOf,
} from './binlog-event.ts';
import { areWhole, shapeOf, type TableShape } from './row-image.ts';

/** Bytes of events in one statement, which is a third longer; one event may be longer by itself. */
const BATCH_BYTES = 2 * 1024 * 1024;

/** What a log without checksums begins with: a server reads rows by the lengths that it says. */
export const FORMAT = `BINLOG '${formatEvent().toString('base64')}';\n`;

interface Known {
  readonly event: Buffer;
  readonly shape: TableShape;
}

const UNSOUND = 'cannot take changes of a database: a row among them is not sound; make the copy anew';

export interface Replay {
  /** events: content of a frame. Answers statements that are complete. Throws permission_denied for anything else. */
  add(events: Buffer): readonly string[];
  /** What is left of a transaction. */
  rest(): readonly string[];
}

export function createReplay(database: string): Replay {
  /** Of the statement at hand. */
  let maps = new Map<number, Known>();
  let batch: Buffer[] = [];
  let bytes = 0;
  let lastRows: Buffer | undefined;
  /** Maps that come after rows are another statement's, also where the end of the one before was of another database. */
  let hadRows = false;
  /** Tables that the batch has maps of. */
  let mapped = new Set<number>();

  const flush = (): readonly string[] => {
    if (lastRows === undefined) return [];
    endStatement(lastRows);
    const statement = `BINLOG '${Buffer.concat(batch).toString('base64')}';\n`;
    [batch, bytes, lastRows, mapped] = [[], 0, undefined, new Set()];
    return [statement];
  };
  const endOne = (): void => {
    if (lastRows !== undefined) endStatement(lastRows);
    maps = new Map();
    mapped = new Set();
    hadRows = false;
  };
  const put = (event: Buffer): void => {
    batch.push(event);
    bytes += event.length;
  };

  return {
    add(events) {
      const out: string[] = [];
      for (const event of split(events)) {
        const type = event[4] ?? 0;
        if (type === EVENT.tableMap) {
          const map = tableMapOf(event);
          if (map === undefined || map.database !== database) throw refused('rows of another database');
          const shape = shapeOf(event);
          if (shape === undefined) throw new AegirError('failed_precondition', UNSOUND);
          if (hadRows) endOne();
          maps.set(map.id, { shape, event: shortened(event, shape.length) });
          continue;
        }
        const known = isRows(type) ? maps.get(tableIdOf(event)) : undefined;
        if (known === undefined) throw refused('something that is no row of it');
        // Also what another version of the server may write: the database is copied then.
        if (!areWhole(event, known.shape)) throw new AegirError('failed_precondition', UNSOUND);
        if (bytes + event.length > BATCH_BYTES) out.push(...flush());
        // All of a statement before its first rows.
        if (mapped.size === 0)
          for (const [each, map] of maps) {
            put(map.event);
            mapped.add(each);
          }
        put(event);
        lastRows = event;
        hadRows = true;
        if (isStatementEnd(event)) endOne();
      }
      return out;
    },
    rest() {
      const out = flush();
      endOne();
      return out;
    },
  };
}

function* split(events: Buffer): Generator<Buffer> {
  for (let at = 0; at < events.length; ) {
    const left = events.length - at;
    const length = left < HEADER_BYTES ? 0 : sizeOf(events.subarray(at));
    if (length < HEADER_BYTES + 8 || length > left) throw refused('an event that is not whole');
    const event = Buffer.from(events.subarray(at, at + length));
    // Its place in the other log, and marks that have to do with that.
    event.writeUInt32LE(0, 13);
    event.writeUInt16LE(0, 17);
    yield event;
    at += length;
  }
}

/** What is optional in a map is for people. */
function shortened(event: Buffer, length: number): Buffer {
  const short = Buffer.from(event.subarray(0, length));
  short.writeUInt32LE(length, 9);
  return short;
}

function refused(what: string): AegirError {
  return new AegirError('permission_denied', `cannot take changes of a database: there is ${what} among them`);
}

/** FORMAT_DESCRIPTION_EVENT of version 4 with the lengths that MariaDB 10 and 11 write. */
function formatEvent(): Buffer {
  const lengths = Buffer.alloc(171);
  const known: Readonly<Record<number, number>> = {
    ...{ 1: 56, 2: 13, 4: 8, 6: 18, 8: 4, 9: 4, 10: 4, 11: 4, 12: 18, 15: 228, 17: 4, 18: 26, 19: 8 },
    ...{ 23: 8, 24: 8, 25: 8, 26: 2, 30: 10, 31: 10, 32: 10, 39: 10, 40: 10, 41: 10 },
    ...{ 161: 4, 162: 19, 163: 4, 165: 13, 166: 8, 167: 8, 168: 8, 169: 10, 170: 10, 171: 10 },
  };
  for (const [type, length] of Object.entries(known)) lengths[Number(type) - 1] = length;
  const version = Buffer.alloc(50);
  version.write('10.5.0-MariaDB-log');
  const body = Buffer.concat([
    ...[Buffer.from([4, 0]), version, Buffer.alloc(4), Buffer.from([HEADER_BYTES]), lengths],
    // No checksums: its own is not looked at then.
    Buffer.alloc(1 + CHECKSUM_BYTES),
  ]);
  const header = Buffer.alloc(HEADER_BYTES);
  header[4] = EVENT.format;
  header.writeUInt32LE(1, 5);
  header.writeUInt32LE(HEADER_BYTES + body.length, 9);
  return Buffer.concat([header, body]);
}
