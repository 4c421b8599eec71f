// A dump that cannot be made says why. Before a lock that the site holds on its own table it waits for a while, ends, and leaves
// nothing in the server; without the lock the next one is whole.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSerial } from '../../../host/serial.ts';
import { contextOf } from '../../conformance/interruption.ts';
import { type MariadbServer, openMariadbServer, siteSpecOf } from '../../conformance/mariadb-server.ts';
import { MARIADB } from './dialect.ts';
import { dumpDatabase } from './dump.ts';
import { restoreDatabase } from './restore.ts';

const SPEC = siteSpecOf('0000000000000001');
const PATIENCE = { seconds: 1, lookMs: 200 };
let server: MariadbServer;
const sql = (text: string) => server.sql(text, 'mysql');
const processes = () => sql('SELECT INFO, STATE FROM information_schema.PROCESSLIST;');

beforeAll(async () => {
  server = await openMariadbServer('127.0.52.1');
  const { database } = SPEC;
  await sql(
    `CREATE DATABASE ${database}; CREATE TABLE ${database}.t (i INT PRIMARY KEY); INSERT INTO ${database}.t VALUES (7);`,
  );
});
afterAll(() => server?.close());

async function dumped(patience = PATIENCE): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of dumpDatabase(server.daemon, MARIADB, SPEC, contextOf(server.host), undefined, patience))
    chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const inDatabase = (input: string) => server.ask(input, SPEC.database);

test.each(['InnoDB', 'MyISAM'])('a dump does not wait for ever before a lock on a table of %s', async (engine) => {
  await sql(`ALTER TABLE ${SPEC.database}.t ENGINE = ${engine};`);
  const holding = inDatabase('LOCK TABLES t WRITE; SELECT SLEEP(600);');
  let altering: ReturnType<typeof inDatabase> | undefined;
  try {
    await expect.poll(processes).toContainEqual(expect.stringContaining('SLEEP(600)'));
    altering = inDatabase("ALTER TABLE t COMMENT = 'a person';");
    await expect.poll(processes).toContainEqual(expect.stringContaining('a person'));
    await expect(dumped()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^cannot dump database .*: somebody holds a lock on it; .*SHOW PROCESSLIST/),
    });
    // Whoever holds it is let be, and so is a person who waits longer than the dump did.
    const left = (await processes()).filter((each) => /Waiting for|SLEEP/.test(each));
    expect(left.sort()).toEqual([expect.stringContaining('a person'), expect.stringContaining('SLEEP(600)')]);
  } finally {
    for (const id of await sql("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(600)';")) {
      await sql(`KILL ${id};`);
    }
    await Promise.all([holding, altering]);
  }
  expect(await dumped()).toMatch(/INSERT INTO `t` VALUES\s*\(7\)/);
});

test('a view that refers to what is gone is named', async () => {
  const { database } = SPEC;
  await sql(`CREATE TABLE ${database}.gone (i INT); CREATE VIEW ${database}.lost AS SELECT i FROM ${database}.gone;`);
  await sql(`DROP TABLE ${database}.gone;`);
  await expect(dumped()).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringMatching(/: view lost in it refers to what is not there or may not be seen; mend or drop/),
  });
  await sql(`DROP VIEW ${database}.lost;`);
  expect(await dumped()).toContain('CREATE TABLE `t`');
});

test('an event that the program would never end with is named, before it and while it runs', async () => {
  const event = (name: string, rest: string) => inDatabase(`CREATE EVENT ${name} ON SCHEDULE EVERY 1 YEAR ${rest};`);
  const refused = (which: string) => ({
    code: 'failed_precondition',
    message: expect.stringMatching(
      `: ${which} in it has two semicolons in a row, with which mariadb-dump does not end;`,
    ),
  });
  // As the client of the server splits what it is given.
  await inDatabase(`DELIMITER $$\nCREATE EVENT e3 ON SCHEDULE EVERY 1 YEAR DO SELECT ";;"$$`);
  await expect(dumped()).rejects.toMatchObject(refused('event e3'));
  await inDatabase(`DELIMITER $$\nCREATE EVENT \`a;;b\` ON SCHEDULE EVERY 1 YEAR DO SELECT 1$$`);
  await expect(dumped()).rejects.toMatchObject(refused('event e3 \\(and 1 more\\)'));
  await inDatabase('DROP EVENT e3;');
  await expect(dumped()).rejects.toMatchObject(refused('an event'));
  await inDatabase('DROP EVENT `a;;b`;');
  await event('e4', "COMMENT 'one;;two' DO SELECT 1");
  await expect(dumped()).rejects.toMatchObject(refused('event e4'));
  await inDatabase('DROP EVENT e4;');

  // Single ones, and in routines and triggers, are no trouble: all of it comes out.
  await event('e5', "COMMENT 'one;two;' DO SELECT ';', CONCAT(';', ';')");
  await inDatabase(`DELIMITER $$
CREATE PROCEDURE p() BEGIN SELECT ";;"; END$$
CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET @a = ";;"$$`);
  const all = await dumped();
  for (const each of ['EVENT `e5`', 'PROCEDURE `p`', 'TRIGGER `?r`?']) expect(all).toMatch(new RegExp(each));

  // It waits before the lock when the event comes: its look finds that before the program does.
  const holding = inDatabase('LOCK TABLES t WRITE; SELECT SLEEP(600);');
  try {
    await expect.poll(processes).toContainEqual(expect.stringContaining('SLEEP(600)'));
    const refusal = expect(dumped({ seconds: 60, lookMs: 200 })).rejects.toMatchObject(refused('event e6'));
    await expect.poll(processes).toContainEqual(expect.stringMatching(/Waiting for/));
    await inDatabase(`DELIMITER $$\nCREATE EVENT e6 ON SCHEDULE EVERY 1 YEAR DO SELECT ";;"$$`);
    await refusal;
  } finally {
    for (const id of await sql("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(600)';")) {
      await sql(`KILL ${id};`);
    }
    await holding;
  }
  await inDatabase('DROP EVENT e6; DROP EVENT e5; DROP PROCEDURE p; DROP TRIGGER r;');
});

test('a row that the server holds and would not take as a statement comes back, two restores at once; its bound stays', async () => {
  const { database } = SPEC;
  const bound = async () => (await sql('SELECT @@GLOBAL.max_allowed_packet;'))[0];
  const usual = await bound();
  await sql('SET GLOBAL max_allowed_packet = 1048576;');
  try {
    await inDatabase(
      "CREATE TABLE big (i INT PRIMARY KEY, a LONGBLOB, b LONGBLOB); INSERT INTO big VALUES (1, '', '');",
    );
    for (const column of ['a', 'b']) await inDatabase(`UPDATE big SET ${column} = REPEAT(UNHEX('ff00aa'), 300000);`);
    const sum = async () => (await sql(`SELECT MD5(CONCAT(a, 'x', b)) FROM ${database}.big;`))[0];
    const before = await sum();
    const dump = Buffer.from(await dumped());
    expect(dump.length).toBeGreaterThan(2 * 1048576);
    const inTurn = createSerial();
    const other = siteSpecOf('0000000000000002');
    await sql(`CREATE DATABASE ${other.database};`);
    const restored = (spec: typeof SPEC) =>
      restoreDatabase(server.daemon, MARIADB, spec, chunksOf(dump), contextOf(server.host), inTurn);
    await inDatabase('DROP TABLE big;');
    await Promise.all([restored(SPEC), restored(other)]);
    expect(await sum()).toBe(before);
    expect(await sql(`SELECT MD5(CONCAT(a, 'x', b)) FROM ${other.database}.big;`)).toEqual([before]);
    expect(await bound()).toBe('1048576');
  } finally {
    await sql(`SET GLOBAL max_allowed_packet = ${usual};`);
  }
});

async function* chunksOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
