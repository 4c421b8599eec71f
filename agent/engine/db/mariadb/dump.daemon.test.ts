// A dump that cannot be made says why. Before a lock that the site holds on its own table it waits for a while, ends, and leaves
// nothing in the server; without the lock the next one is whole.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { databaseName, databaseUser } from '../../../../shared/database-name.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import { createEmbeddedHost } from '../../../host/embedded/host.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import { contextOf } from '../../conformance/interruption.ts';
import { administrator, type Client, createClient } from './client.ts';
import { MARIADB } from './dialect.ts';
import { dumpDatabase } from './dump.ts';

const SITE = 'site-0000000000000001';
const SPEC: DbSpec = {
  ...{ siteId: SITE, database: databaseName(SITE), user: databaseUser(SITE), password: 'secret' },
  ...{ from: [], holdsContent: false, frozen: false },
};
const PATIENCE = { seconds: 1, lookMs: 200 };
let dir: string;
let host: Host;
let daemon: Daemon;
let client: Client;
const sql = (text: string) => client.query(text, 'ask');
const processes = async () => (await sql('SELECT INFO, STATE FROM information_schema.PROCESSLIST;')).map(String);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-locked-'));
  await chmod(dir, 0o755);
  host = await createEmbeddedHost({
    ...{ dir: join(dir, 'host'), hostname: 'db.test', address: '127.0.52.1' },
    ...{ ports: { nginx: 1, mariadb: 3306 }, daemons: ['mariadb'] },
  });
  const found = await host.daemon('mariadb');
  if (found === undefined) throw new Error('the host under test has no mariadb');
  daemon = found;
  client = createClient(host, daemon, MARIADB);
  const { database } = SPEC;
  await sql(
    `CREATE DATABASE ${database}; CREATE TABLE ${database}.t (i INT PRIMARY KEY); INSERT INTO ${database}.t VALUES (7);`,
  );
});
afterAll(async () => {
  await host?.close();
  await rm(dir, { recursive: true, force: true });
});

async function dumped(): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of dumpDatabase(daemon, MARIADB, SPEC, contextOf(host), undefined, PATIENCE))
    chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const inDatabase = (input: string) =>
  host.run({
    argv: [
      ...(['mariadb', '--no-defaults', `--socket=${daemon.socket}`] as const),
      ...[`--user=${administrator(host, daemon)}`, SPEC.database],
    ],
    input,
  });

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
    for (const [id] of await sql("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(600)';")) {
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
