// What is taken of rows that another server sent: its own database's and nothing else, whole statements, whatever else is in
// them. Events are made by hand; real ones are taken in replicating.daemon.test.ts.
import { crc32 } from 'node:zlib';
import { expect, it } from 'vitest';
import { EVENT, HEADER_BYTES, isStatementEnd, type LogEvent, truncatedBy, withoutChecksum } from './binlog-event.ts';
import { isAtLeast, placeOf } from './binlog-place.ts';
import { decodeFrames, encodeFrame, type Frame, HEAD } from './change-frame.ts';
import { createChangesOf } from './changes-of.ts';
import { createReplay } from './replay.ts';

const OURS = 'site_0000000000000001';

function event(type: number, body: Buffer, flags = 0): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header[4] = type;
  header.writeUInt32LE(HEADER_BYTES + body.length, 9);
  header.writeUInt16LE(flags, 17);
  return Buffer.concat([header, body]);
}

function idOf(id: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntLE(id, 0, 6);
  return bytes;
}

/** One column, a LONGBLOB: its type, a byte of metadata, and whether it may be null. */
const SHAPE = Buffer.from([1, 252, 1, 4, 1]);

function map(id: number, database = OURS, table = 't'): Buffer {
  const name = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text), Buffer.alloc(1)]);
  return event(EVENT.tableMap, Buffer.concat([idOf(id), Buffer.alloc(2), name(database), name(table), SHAPE]));
}

/** size: of the text in it. */
function rows(id: number, isEnd = true, size = 4): Buffer {
  const row = Buffer.alloc(1 + 4 + size, 7);
  row[0] = 0;
  row.writeUInt32LE(size, 1);
  return event(EVENT.writeRows, Buffer.concat([idOf(id), Buffer.from([isEnd ? 1 : 0, 0]), Buffer.from([1, 1]), row]));
}

function bent(event: Buffer, at: number, byte: number): Buffer {
  const other = Buffer.from(event);
  other[at] = byte;
  return other;
}

function cutRow(id: number): Buffer {
  const other = Buffer.from(rows(id).subarray(0, -1));
  other.writeUInt32LE(other.length, 9);
  return other;
}

/** Events of the statements that came out. */
function replayed(...frames: readonly Buffer[]): Buffer[][] {
  const replay = createReplay(OURS);
  const statements = [...frames.flatMap((frame) => replay.add(frame)), ...replay.rest()];
  return statements.map((statement) => {
    const [, base64 = ''] = /^BINLOG '([A-Za-z0-9+/=]+)';\n$/.exec(statement) ?? [];
    const bytes = Buffer.from(base64, 'base64');
    const events: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += bytes.readUInt32LE(at + 9)) {
      events.push(bytes.subarray(at, at + bytes.readUInt32LE(at + 9)));
    }
    return events;
  });
}

const types = (statements: Buffer[][]) => statements.map((events) => events.map((each) => each[4]));

it('keeps maps before rows, and whole statements together', () => {
  const out = replayed(Buffer.concat([map(1), map(2), rows(1, false), rows(2), map(1), rows(1)]));
  expect(types(out)).toEqual([[19, 19, 23, 23, 19, 23]]);
});

it('ends a statement whose last rows were of another database, and leaves maps without rows out', () => {
  const out = replayed(Buffer.concat([map(1), rows(1, false), map(2)]), Buffer.concat([rows(2, false), map(3)]));
  expect(types(out)).toEqual([[19, 23, 19, 23]]);
  expect(out[0]?.filter((each) => each[4] === 23).every(isStatementEnd)).toBe(true);
});

it('cuts a long statement into several, each with its maps', () => {
  const long = 1_500_000;
  const out = replayed(map(1), rows(1, false, long), rows(1, false, long), rows(1, true, long));
  expect(types(out)).toEqual([
    [19, 23],
    [19, 23],
    [19, 23],
  ]);
  expect(out.every((events) => isStatementEnd(events.at(-1) as Buffer))).toBe(true);
});

it('takes marks and places of the other log away', () => {
  const marked = event(EVENT.writeRows, rows(1).subarray(HEADER_BYTES), 0xffff);
  marked.writeUInt32LE(12345, 13);
  const [[, taken] = []] = replayed(Buffer.concat([map(1), marked]));
  expect([taken?.readUInt32LE(13), taken?.readUInt16LE(17)]).toEqual([0, 0]);
});

it.each<[string, Buffer]>([
  ['rows of another database', Buffer.concat([map(1, 'mysql', 'global_priv'), rows(1)])],
  ['a name that ours begins', Buffer.concat([map(1, `${OURS}x`), rows(1)])],
  ['rows without a map', rows(1)],
  ['rows by a map of the statement before', Buffer.concat([map(1), rows(1), rows(1)])],
  ['a statement', Buffer.concat([map(1), event(EVENT.query, Buffer.alloc(30))])],
  ['a format', event(EVENT.format, Buffer.alloc(60))],
  ['compressed rows', Buffer.concat([map(1), event(166, Buffer.concat([idOf(1), Buffer.alloc(9)]))])],
  ['a row that is cut off', Buffer.concat([map(1), cutRow(1)])],
  ['a row with a column more', Buffer.concat([map(1), bent(rows(1), HEADER_BYTES + 8, 2)])],
  ['a length past its end', Buffer.concat([map(1), bent(rows(1), HEADER_BYTES + 11, 200)])],
  ['no row', Buffer.concat([map(1), event(EVENT.writeRows, rows(1).subarray(HEADER_BYTES, HEADER_BYTES + 10))])],
  ['rows without a column', Buffer.concat([map(1), bent(rows(1), HEADER_BYTES + 9, 0)])],
  ['a table of no type that there is', Buffer.concat([bent(map(1), map(1).length - 4, 244), rows(1)])],
  ['a table whose lengths are not sound', Buffer.concat([bent(map(1), map(1).length - 2, 9), rows(1)])],
  ['an event that is cut off', map(1).subarray(0, -3)],
  ['an event that is too short', event(EVENT.writeRows, Buffer.alloc(3))],
  [
    'an event that is longer than all',
    (() => {
      const bytes = Buffer.concat([map(1), rows(1)]);
      bytes.writeUInt32LE(0xffffffff, 9);
      return bytes;
    })(),
  ],
  ['a map whose names overlap its end', event(EVENT.tableMap, Buffer.concat([idOf(1), Buffer.from([0, 0, 200, 65])]))],
])('refuses %s', (_what, bytes) => {
  const code = expect.stringMatching(/^(permission_denied|failed_precondition)$/);
  expect(() => replayed(bytes)).toThrow(expect.objectContaining({ code }));
});

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const FRAMES: readonly Frame[] = [
  { kind: 'begin', at: 'log.000001:4' },
  { kind: 'rows', events: Buffer.concat([map(1), rows(1)]) },
  { kind: 'truncate', table: 't' },
  { kind: 'commit', at: 'log.000001:44' },
  { kind: 'end', at: 'log.000001:44' },
];

it.each([1, 7, 1000])('frames come as they went, cut into pieces of %i bytes', async (size) => {
  const bytes = Buffer.concat([HEAD, ...FRAMES.map(encodeFrame)]);
  expect(await Array.fromAsync(decodeFrames(pieces(bytes, size)))).toEqual(FRAMES);
});

it.each<[string, Buffer, string]>([
  [
    'a dump',
    Buffer.from('-- Database of a site, dumped by Aegir.\nDROP DATABASE mysql;\n-- and more of it'),
    'permission_denied',
  ],
  ['nothing', Buffer.alloc(0), 'data_loss'],
  ['what was cut', Buffer.concat([HEAD, encodeFrame({ kind: 'truncate', table: 't' })]), 'data_loss'],
  ['a frame of no kind', Buffer.concat([HEAD, Buffer.from([9, 0, 0, 0, 0])]), 'permission_denied'],
  ['a frame that never ends', Buffer.concat([HEAD, Buffer.from([1, 255, 255, 255, 255])]), 'permission_denied'],
  [
    'something after the end',
    Buffer.concat([HEAD, encodeFrame({ kind: 'end', at: 'log.000001:4' }), Buffer.from('x')]),
    'permission_denied',
  ],
])('%s is refused', async (_what, bytes, code) => {
  await expect(Array.fromAsync(decodeFrames(pieces(bytes, 100)))).rejects.toMatchObject({ code });
});

it.each([
  ['log.000002:4', 'log.000001:900', true],
  ['log.1000000:4', 'log.999999:900', true],
  ['log.000001:900', 'log.000001:900', true],
  ['log.000001:899', 'log.000001:900', false],
  ['other.000002:4', 'log.000001:4', false],
  ['log.000002', 'log.000001:4', false],
  ['', '', false],
])('%s is at least %s: %s', (at, wanted, is) => {
  expect(isAtLeast(at, wanted)).toBe(is);
});

it.each(['../log.000001:4', 'log:4', 'log.000001:-4', 'log.000001:4; x', `${'x'.repeat(300)}.000001:4`])(
  '%s is no place',
  (text) => {
    expect(placeOf(text)).toBeUndefined();
  },
);

/** Of a log: what becomes of these events. */
function changes(...events: readonly (readonly [type: number, body: Buffer])[]): readonly Frame[] {
  const filter = createChangesOf(OURS);
  return events.flatMap(([type, body], at) =>
    filter.take({
      ...{ type, isIgnorable: false, at: `log.000001:${at}`, end: `log.000001:${at + 1}` },
      bytes: event(type, body),
    } satisfies LogEvent),
  );
}

const body = (bytes: Buffer): Buffer => bytes.subarray(HEADER_BYTES);
const gtid = (flags = 0) =>
  [EVENT.gtid, Buffer.concat([Buffer.alloc(12), Buffer.from([flags]), Buffer.alloc(6)])] as const;
const query = (text: string, database = OURS) =>
  [
    EVENT.query,
    Buffer.concat([
      ...[Buffer.alloc(8), Buffer.from([database.length, 0, 0, 0, 0]), Buffer.from(database), Buffer.alloc(1)],
      Buffer.from(text),
    ]),
  ] as const;
const XID = [EVENT.xid, Buffer.alloc(8)] as const;
const MAP = [EVENT.tableMap, body(map(1))] as const;
const THEIRS = [EVENT.tableMap, body(map(2, 'theirs'))] as const;
const ROWS = [EVENT.writeRows, body(rows(1))] as const;
const THEIR_ROWS = [EVENT.writeRows, body(rows(2))] as const;
const kindsOf = (frames: readonly Frame[]) => frames.map(({ kind }) => kind);

it.each<[string, readonly (readonly [number, Buffer])[], readonly string[]]>([
  ['of others', [gtid(), THEIRS, THEIR_ROWS, XID], []],
  ['of both', [gtid(), MAP, THEIRS, ROWS, THEIR_ROWS, XID], ['begin', 'rows', 'commit']],
  ['of others that was undone', [gtid(), THEIRS, THEIR_ROWS, query('ROLLBACK')], []],
  ['ended by COMMIT', [gtid(), MAP, ROWS, query('COMMIT', '')], ['begin', 'rows', 'commit']],
  ['that never ended', [gtid(), MAP, ROWS, gtid(), XID], []],
  ['a statement of others', [gtid(1), query('TRUNCATE t', 'theirs')], []],
  ['that empties a table', [gtid(1), query('TRUNCATE t')], ['begin', 'truncate', 'commit']],
  ['that empties one of theirs', [gtid(1), query('TRUNCATE t', 'theirs')], []],
  ['about tables of its session', [gtid(1), query('DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `t`')], []],
  ['that changes no content', [gtid(1), query('OPTIMIZE TABLE t')], []],
])('of a transaction %s these frames go', (_what, events, kinds) => {
  expect(kindsOf(changes(...events))).toEqual(kinds);
});

it.each<[string, readonly (readonly [number, Buffer])[], RegExp]>([
  [
    'a statement that names it',
    [gtid(1), query(`DROP TABLE ${OURS.toUpperCase()}.t`, 'theirs')],
    /tables were changed/,
  ],
  ['what is undone in part', [gtid(), MAP, ROWS, query('ROLLBACK')], /undone in part/],
  ['a statement of another kind', [gtid(1), query('GRANT ALL ON t TO s')], /tables were changed/],
  ['a statement in a comment that is run', [gtid(1), query('/*!50000 DROP TABLE t */')], /tables were changed/],
  ['a change of a table', [gtid(1), query('ALTER TABLE t ADD a INT')], /tables were changed/],
  ['the first half of one', [gtid(32), query('CREATE TABLE u (a INT)')], /tables were changed/],
  ['a table of theirs that is emptied from here', [gtid(1), query('TRUNCATE theirs.t')], /tables were changed/],
  ['rows by a statement', [gtid(), query('UPDATE t SET a = 1'), XID], /tables were changed/],
  ['the end of what was prepared before', [gtid(128 + 1), query("XA COMMIT 'a'", '')], /XA/],
  ['the same without its mark', [gtid(1), query("XA COMMIT 'a'", '')], /XA/],
  ['a statement after rows', [gtid(), MAP, ROWS, query('ROLLBACK TO x')], /in one transaction with rows/],
  ['two phases', [gtid(64)], /XA/],
  ['what nobody knows', [gtid(), [200, Buffer.alloc(9)]], /type 200/],
  ['compressed rows', [gtid(), MAP, [166, Buffer.alloc(20)]], /type 166/],
  ['encryption', [[EVENT.encryption, Buffer.alloc(20)]], /encrypted/],
  ['the middle of one', [ROWS], /outside of transactions/],
])('%s ends it', (_what, events, why) => {
  expect(() => changes(...events)).toThrow(why);
});

it.each([
  ['TRUNCATE TABLE t', 't'],
  ['truncate `a$b`', 'a$b'],
  [`TRUNCATE TABLE \`${OURS}\` . \`t\` ;`, 't'],
  [`TRUNCATE ${OURS}.t`, 't'],
  ['TRUNCATE theirs.t', undefined],
  ['TRUNCATE "t"', undefined],
  ['TRUNCATE t, u', undefined],
  ['TRUNCATE `t`` u`', undefined],
  ['TRUNCATE /* x */ t', undefined],
  ['TRUNCATE t; DROP TABLE u', undefined],
  ['TRUNCATE t WAIT 5', undefined],
  ['ALTER TABLE t TRUNCATE PARTITION p', undefined],
])('%s empties %s', (text, table) => {
  expect(truncatedBy({ database: OURS, text })).toBe(table);
});

it('a damaged event is told', () => {
  const whole = rows(1);
  whole.writeUInt32LE(whole.length + 4, 9);
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(whole));
  const summed = Buffer.concat([whole, sum]);
  expect(withoutChecksum(summed, true)).toEqual(rows(1));
  summed[30] = 1;
  expect(() => withoutChecksum(summed, true)).toThrow(/damaged/);
});
