// A transaction that somebody prepared (XA) and left: what it holds is neither dropped nor emptied, now or later, and it is told
// how to end it; what it does not hold goes its way.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import { contextOf } from '../../conformance/interruption.ts';
import {
  type MariadbServer,
  openMariadbServer,
  MARIADB_SERVICE as service,
  siteSpecOf,
} from '../../conformance/mariadb-server.ts';
import { runChanges } from '../../engine.ts';
import { createMariadbEngine } from './engine.ts';

const engine = createMariadbEngine();
let server: MariadbServer;
const sql = (text: string, database: string) => server.sql(text, database);
const specOf = (body: string) => siteSpecOf(body, '127.0.49.3');

beforeAll(async () => {
  server = await openMariadbServer('127.0.49.1');
});
afterAll(() => server?.close());

const doing = async (...specs: readonly DbSpec[]) => {
  const ctx = contextOf(server.host);
  for (const each of specs) await runChanges(await engine.plan(service, each, ctx), ctx);
  return ctx;
};
const databases = () => sql('SHOW DATABASES;', 'mysql');
/** By a client that goes away: the server keeps it, over restarts too. */
const prepare = (xid: string, statement: string, database: string) =>
  sql(`XA START '${xid}'; ${statement}; XA END '${xid}'; XA PREPARE '${xid}';`, database);

test('it keeps its database from being dropped and restored, and is named; nothing waits to do so later', async () => {
  const [one, other] = [specOf('0000000000000001'), specOf('0000000000000002')];
  const ctx = await doing(one, other);
  for (const { database } of [one, other]) {
    await sql('CREATE TABLE t (i INT PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE `a``b` (i INT);', database);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of engine.dump(service, one, ctx)) chunks.push(chunk);
  const dump = async function* () {
    yield* chunks;
  };
  await prepare('left', 'INSERT INTO t VALUES (2)', one.database);

  const told = {
    code: 'failed_precondition',
    untouched: true,
    message: expect.stringMatching(
      /: its tables are locked, and somebody prepared a transaction \(XA\).*XA ROLLBACK xid; throws one away, XA COMMIT xid; keeps what it did; it is one of: 'left'$/,
    ),
  };
  await expect(engine.remove(service, one.siteId, undefined, ctx)).rejects.toMatchObject(told);
  await expect(engine.restore(service, one, dump(), ctx)).rejects.toMatchObject(told);
  expect(await sql('SELECT i FROM t;', one.database)).toEqual(['1']);

  // Of another database, or of none of ours, it is in nobody's way.
  await engine.restore(service, other, dump(), ctx);
  await runChanges(await engine.remove(service, other.siteId, undefined, ctx), ctx);
  expect(await databases()).not.toContain(other.database);

  await sql("XA ROLLBACK 'left';", 'mysql');
  // Nothing that was refused comes true by itself.
  expect(await sql('SELECT i FROM t;', one.database)).toEqual(['1']);
  await engine.restore(service, one, dump(), ctx);
  await runChanges(await engine.remove(service, one.siteId, undefined, ctx), ctx);
  expect(await databases()).not.toContain(one.database);
});

test('a drop that meets a lock after all ends, and is told; the server drops nothing when the lock goes', async () => {
  const spec = specOf('0000000000000003');
  const ctx = await doing(spec);
  await sql('CREATE TABLE t (i INT PRIMARY KEY);', spec.database);
  const changes = await engine.remove(service, spec.siteId, undefined, ctx);
  await prepare('late', 'INSERT INTO t VALUES (1)', spec.database);
  const drop = changes.filter(({ summary }) => summary.startsWith('drop database'));
  await expect(runChanges(drop, ctx)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/somebody holds a lock on it; end that as its administrator: .*XA ROLLBACK xid/),
  });
  await sql("XA COMMIT 'late';", 'mysql');
  expect(await sql('SELECT i FROM t;', spec.database)).toEqual(['1']);
  expect(await sql("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'DROP%';", 'mysql')).toEqual([
    '0',
  ]);
  await runChanges(await engine.remove(service, spec.siteId, undefined, ctx), ctx);
  expect(await databases()).not.toContain(spec.database);
});

test('tables with odd names get into no SQL, and keep nobody from looking at the others', async () => {
  const spec = specOf('0000000000000004');
  const ctx = await doing(spec);
  const odd = '`x`` WRITE; DROP DATABASE mysql; --`';
  await sql(`CREATE TABLE ${odd} (i INT); CREATE TABLE plain (i INT PRIMARY KEY);`, spec.database);
  await prepare('odd', `INSERT INTO ${odd} VALUES (1)`, spec.database);
  // Only what holds it is odd: it is found when the drop is tried.
  expect((await engine.remove(service, spec.siteId, undefined, ctx)).map(({ summary }) => summary)).toContain(
    `drop database ${spec.database}`,
  );
  await sql("XA ROLLBACK 'odd';", 'mysql');
  await runChanges(await engine.remove(service, spec.siteId, undefined, ctx), ctx);
  expect(await databases()).toContain('mysql');
});
