// What of numbers a dump keeps: all of a DOUBLE, six digits of a FLOAT, which is told.
import { afterAll, beforeAll, expect, test } from 'vitest';
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
const said: string[] = [];
let server: MariadbServer;
const sql = (text: string, database: string) => server.sql(text, database);
const specOf = (body: string) => siteSpecOf(body, '127.0.48.3');

beforeAll(async () => {
  server = await openMariadbServer('127.0.48.1');
});
afterAll(() => server?.close());

test('a DOUBLE, and a FLOAT of so many places, come back bit by bit; a FLOAT to six digits, and that is told', async () => {
  const ctx = { ...contextOf(server.host), log: (level: string, text: string) => void said.push(`${level}: ${text}`) };
  const [one, other] = [specOf('0000000000000001'), specOf('0000000000000002')];
  for (const each of [one, other]) await runChanges(await engine.plan(service, each, ctx), ctx);
  const copy = async () => engine.restore(service, other, engine.dump(service, one, ctx), ctx);
  await sql(
    `CREATE TABLE exact (i INT PRIMARY KEY, d DOUBLE, p FLOAT(10, 3));
INSERT INTO exact VALUES (1, 1e0 / 3e0, 1234.567), (2, 5e-324, 99999.999), (3, 1.7976931348623157e308, 0), (4, 9007199254740993, -1);`,
    one.database,
  );
  await copy();
  const differ = (table: string, column: string) =>
    sql(
      `SELECT COUNT(*) FROM ${one.database}.${table} a JOIN ${other.database}.${table} b USING (i) WHERE NOT a.${column} <=> b.${column};`,
      one.database,
    );
  expect([await differ('exact', 'd'), await differ('exact', 'p')]).toEqual([['0'], ['0']]);
  expect(said.filter((line) => line.startsWith('warn'))).toEqual([]);

  await sql(
    'CREATE TABLE rough (i INT PRIMARY KEY, f FLOAT); INSERT INTO rough VALUES (1, 16777215), (2, 0.1234567), (3, 0.5), (4, 123456);',
    one.database,
  );
  await copy();
  expect(said.filter((line) => line.startsWith('warn'))).toEqual([
    `warn: 1 of the tables in ${one.database} has a column of type FLOAT, of which a dump keeps six digits; ALTER TABLE … MODIFY … DOUBLE keeps all`,
  ]);
  const far = await sql(
    `SELECT MAX(ABS(a.f - b.f) / a.f) < 5e-6 FROM ${one.database}.rough a JOIN ${other.database}.rough b USING (i);`,
    one.database,
  );
  expect([far, await differ('rough', 'f')]).toEqual([['1'], ['2']]);
  await sql('ALTER TABLE rough MODIFY f DOUBLE;', one.database);
  await copy();
  expect(await differ('rough', 'f')).toEqual(['0']);
});
