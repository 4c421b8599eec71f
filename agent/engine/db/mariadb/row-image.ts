// Whether rows of the binary log are whole and sound by what their table map says of each column: a server that reads them
// believes what it finds. See Table_map_log_event, Rows_log_event and calc_field_size in MariaDB's log_event and rpl_utility.
// Pure.
import { EVENT, HEADER_BYTES } from './binlog-event.ts';

export interface TableShape {
  readonly columns: readonly Column[];
  /** Of the event, up to what is optional. */
  readonly length: number;
}

export interface Column {
  readonly type: number;
  /** As calc_field_size takes it. */
  readonly meta: number;
}

const TYPE = {
  ...{
    tiny: 1,
    short: 2,
    long: 3,
    float: 4,
    double: 5,
    null: 6,
    timestamp: 7,
    longlong: 8,
    int24: 9,
    date: 10,
    time: 11,
  },
  ...{ datetime: 12, year: 13, newdate: 14, varchar: 15, bit: 16, timestamp2: 17, datetime2: 18, time2: 19 },
  ...{ blobCompressed: 140, varcharCompressed: 141, newdecimal: 246, enum: 247, set: 248 },
  ...{ tinyBlob: 249, mediumBlob: 250, longBlob: 251, blob: 252, varString: 253, string: 254, geometry: 255 },
} as const;

/** Bytes of types that always take as many. */
const FIXED: Readonly<Record<number, number>> = {
  ...{ [TYPE.tiny]: 1, [TYPE.year]: 1, [TYPE.short]: 2, [TYPE.int24]: 3, [TYPE.long]: 4, [TYPE.longlong]: 8 },
  ...{ [TYPE.null]: 0, [TYPE.date]: 3, [TYPE.newdate]: 3, [TYPE.time]: 3, [TYPE.timestamp]: 4, [TYPE.datetime]: 8 },
};
/** Bytes before those of the fraction of a second. */
const FRACTIONAL: Readonly<Record<number, number>> = { [TYPE.time2]: 3, [TYPE.timestamp2]: 4, [TYPE.datetime2]: 5 };
const BLOBS: ReadonlySet<number> = new Set([
  ...[TYPE.tinyBlob, TYPE.mediumBlob, TYPE.longBlob, TYPE.blob, TYPE.geometry, TYPE.blobCompressed],
]);
const VARIABLE: ReadonlySet<number> = new Set([TYPE.varchar, TYPE.varString, TYPE.varcharCompressed]);
const MOST_COLUMNS = 4096;
/** As long as 32 bits with a sign last: servers before 11.5 know no later time. */
const MOST_SECONDS = 2 ** 31 - 1;
/** By digits of a group. */
const DIGIT_BYTES = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

/** map: an event whose names were looked at (tableMapOf). undefined when it is not sound. */
export function shapeOf(map: Buffer): TableShape | undefined {
  try {
    let at = HEADER_BYTES + 8;
    at += map.readUInt8(at) + 2;
    at += map.readUInt8(at) + 2;
    const count = packed(map, at);
    if (count === undefined || count.value < 1 || count.value > MOST_COLUMNS) return undefined;
    at = count.end;
    const types = map.subarray(at, at + count.value);
    if (types.length !== count.value) return undefined;
    const metaLength = packed(map, at + count.value);
    if (metaLength === undefined) return undefined;
    const metas = map.subarray(metaLength.end, metaLength.end + metaLength.value);
    const columns: Column[] = [];
    let from = 0;
    for (const type of types) {
      const bytes = metaBytes(type);
      if (bytes === undefined) return undefined;
      // Of a decimal and of characters the first byte is the higher one.
      const meta =
        bytes === 2
          ? VARIABLE.has(type) || type === TYPE.bit
            ? metas.readUInt16LE(from)
            : metas.readUInt16BE(from)
          : bytes === 1
            ? metas.readUInt8(from)
            : 0;
      from += bytes;
      if (!isSound(type, meta)) return undefined;
      columns.push({ type, meta });
    }
    const length = metaLength.end + metaLength.value + Math.ceil(count.value / 8);
    return from === metaLength.value && length <= map.length ? { columns, length } : undefined;
  } catch (thrown) {
    if (thrown instanceof RangeError) return undefined;
    throw thrown;
  }
}

/** rows: an event of the table. */
export function areWhole(rows: Buffer, { columns }: TableShape): boolean {
  try {
    const width = packed(rows, HEADER_BYTES + 8);
    if (width === undefined || width.value !== columns.length) return false;
    const bitmap = Math.ceil(columns.length / 8);
    const images = rows[4] === EVENT.updateRows ? 2 : 1;
    let at = width.end + bitmap * images;
    if (at >= rows.length) return false;
    // A part of the columns (binlog_row_image) is enough for a server only where it finds the row by it.
    const present = Array.from({ length: images }, (_, image) => {
      const bits = rows.subarray(width.end + bitmap * image, width.end + bitmap * (image + 1));
      return columns.filter((_column, index) => isSet(bits, index));
    });
    while (at < rows.length) {
      for (const fields of present) {
        const nulls = rows.subarray(at, at + Math.ceil(fields.length / 8));
        at += Math.ceil(fields.length / 8);
        if (at > rows.length) return false;
        for (const [index, column] of fields.entries()) {
          if (!isSet(nulls, index)) at += sizeOf(column, rows, at);
          if (at > rows.length) return false;
        }
        if (fields.length < columns.length) return false;
      }
    }
    return true;
  } catch (thrown) {
    if (thrown instanceof RangeError) return false;
    throw thrown;
  }
}

/** undefined for a type that no server writes. */
function metaBytes(type: number): number | undefined {
  if (FIXED[type] !== undefined) return 0;
  if (type === TYPE.float || type === TYPE.double || BLOBS.has(type) || FRACTIONAL[type] !== undefined) return 1;
  if (VARIABLE.has(type) || type === TYPE.bit || type === TYPE.newdecimal || type === TYPE.string) return 2;
  return undefined;
}

function isSound(type: number, meta: number): boolean {
  if (type === TYPE.float) return meta === 4;
  if (type === TYPE.double) return meta === 8;
  if (BLOBS.has(type)) return meta >= 1 && meta <= 4;
  if (FRACTIONAL[type] !== undefined) return meta <= 6;
  if (type === TYPE.bit) return (meta & 0xff) < 8 && meta >> 8 <= 8;
  if (type === TYPE.newdecimal) return meta >> 8 >= 1 && meta >> 8 <= 65 && (meta & 0xff) <= Math.min(38, meta >> 8);
  if (type !== TYPE.string) return true;
  const real = meta >> 8;
  if (real === TYPE.enum) return [1, 2].includes(meta & 0xff);
  if (real === TYPE.set) return [1, 2, 3, 4, 8].includes(meta & 0xff);
  return (real | 0x30) === TYPE.string;
}

/** Throws RangeError past the end, and for what the column cannot hold: no server writes it, and some die of it. */
function sizeOf({ type, meta }: Column, bytes: Buffer, at: number): number {
  const fixed = FIXED[type];
  if (type === TYPE.timestamp) assertIn(bytes.readUInt32LE(at), MOST_SECONDS);
  if (fixed !== undefined) return fixed;
  const fraction = FRACTIONAL[type];
  if (fraction !== undefined) {
    const more = Math.ceil(meta / 2);
    if (type === TYPE.timestamp2) assertIn(bytes.readUInt32BE(at), MOST_SECONDS);
    if (type === TYPE.datetime2) assertDateTime(bytes.readUIntBE(at, 5));
    if (more > 0 && type !== TYPE.time2) assertIn(bytes.readUIntBE(at + fraction, more), 100 ** more - 1);
    return fraction + more;
  }
  if (type === TYPE.float) assertIn(Math.abs(bytes.readFloatLE(at)), Number.MAX_VALUE);
  if (type === TYPE.double) assertIn(Math.abs(bytes.readDoubleLE(at)), Number.MAX_VALUE);
  if (type === TYPE.float || type === TYPE.double) return meta;
  if (type === TYPE.bit) return (meta >> 8) + ((meta & 0xff) > 0 ? 1 : 0);
  if (type === TYPE.newdecimal) return decimalSize(meta >> 8, meta & 0xff, bytes, at);
  if (BLOBS.has(type)) return meta + bytes.readUIntLE(at, meta);
  if (VARIABLE.has(type)) return prefixed(meta, bytes, at);
  const real = meta >> 8;
  if (real === TYPE.enum || real === TYPE.set) return meta & 0xff;
  return prefixed((((meta >> 4) & 0x300) ^ 0x300) + (meta & 0xff), bytes, at);
}

function prefixed(most: number, bytes: Buffer, at: number): number {
  const prefix = most > 255 ? 2 : 1;
  const length = bytes.readUIntLE(at, prefix);
  if (length > most) throw new RangeError('longer than its column');
  return prefix + length;
}

/** MariaDB's bin2decimal: nine digits take four bytes, the first bit is set for what is not negative, others are inverted. */
function decimalSize(precision: number, decimals: number, bytes: Buffer, at: number): number {
  const isNegative = (bytes.readUInt8(at) & 0x80) === 0;
  let from = at;
  const take = (digits: number): void => {
    const size = DIGIT_BYTES[digits] ?? 0;
    let value = 0;
    for (let each = 0; each < size; each++) {
      const byte = bytes.readUInt8(from + each) ^ (from + each === at ? 0x80 : 0) ^ (isNegative ? 0xff : 0);
      value = value * 256 + (byte & 0xff);
    }
    assertIn(value, 10 ** digits - 1);
    from += size;
  };
  const whole = precision - decimals;
  if (whole % 9 > 0) take(whole % 9);
  for (let group = 0; group < Math.floor(whole / 9); group++) take(9);
  for (let group = 0; group < Math.floor(decimals / 9); group++) take(9);
  if (decimals % 9 > 0) take(decimals % 9);
  return from - at;
}

/** Five bytes of a DATETIME: a sign that is always set, 17 bits of years and months, 5 each of days and hours, 6 each of the rest. */
function assertDateTime(packed: number): void {
  const days = Math.floor(packed / 2 ** 17) - 2 ** 22;
  const seconds = packed % 2 ** 17;
  assertIn(days, (9999 * 13 + 12) * 32 + 31);
  assertIn(Math.floor(seconds / 4096), 23);
  assertIn(Math.floor(seconds / 64) % 64, 59);
  assertIn(seconds % 64, 59);
}

function assertIn(value: number, most: number): void {
  if (!(value >= 0 && value <= most)) throw new RangeError('more than its column holds');
}

/** A length-encoded integer; what is longer than an event is none. */
function packed(bytes: Buffer, at: number): { readonly value: number; readonly end: number } | undefined {
  const first = bytes.readUInt8(at);
  if (first < 251) return { value: first, end: at + 1 };
  if (first === 252) return { value: bytes.readUInt16LE(at + 1), end: at + 3 };
  if (first === 253) return { value: bytes.readUIntLE(at + 1, 3), end: at + 4 };
  return undefined;
}

function isSet(bits: Buffer, index: number): boolean {
  return ((bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
}
