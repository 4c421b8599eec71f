// What the suite of the type cannot ask: the host's own socket, rules of others before ours, a pg_hba.conf that the server
// does not understand, what a site owns in others' databases, dumps that an administrator put back.
import { dirname } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import { createEmbeddedHost } from '../../../host/embedded/host.ts';
import type { CommandResult } from '../../../host/host.ts';
import { type DbStage, type DbSubject, openDbStage, STRANGER, WEB1 } from '../../conformance/db-stage.ts';
import { runChanges } from '../../engine.ts';
import { createPostgresqlEngine } from './engine.ts';

const CLUSTER = 'postgresql@15-main';
const CLIENT = [
  'psql',
  '--no-psqlrc',
  '--no-password',
  '--quiet',
  '--no-align',
  '--tuples-only',
  '--set=ON_ERROR_STOP=1',
] as const;
let stage: DbStage;
let spec: DbSpec;
let hba: string;

const subject = {
  name: 'postgresql',
  daemon: CLUSTER,
  socketName: '.s.PGSQL.5432',
  createEngine: () => createPostgresqlEngine(),
  // A free port of this address is any: no other program has the address.
  startHost: (dir: string) =>
    createEmbeddedHost({
      dir,
      hostname: 'db.test',
      address: '127.0.38.9',
      ports: { nginx: 1, mariadb: 1, postgresql: 5432 },
      daemons: [CLUSTER],
    }),
  administer: (host, { socket, user }, sql) =>
    lines(
      host.run({
        argv: [...CLIENT, `--host=${dirname(socket)}`, '--dbname=postgres', `--username=${user}`],
        input: sql,
      }),
    ),
  ask: (host, socket, { user, password, database }, sql) =>
    lines(
      host.run({
        argv: [...CLIENT, `--host=${dirname(socket)}`, `--username=${user}`, `--dbname=${database}`],
        env: { PATH: '/usr/bin:/bin', PGPASSWORD: password },
        input: sql,
      }),
    ),
} satisfies Partial<DbSubject>;

async function lines(running: Promise<CommandResult>): Promise<readonly string[]> {
  const { code, stdout, stderr } = await running;
  if (code !== 0) throw new Error(stderr);
  return stdout.split('\n').filter((line) => line !== '');
}

beforeAll(async () => {
  stage = await openDbStage(subject as unknown as DbSubject);
  [hba = ''] = await stage.administer('SHOW hba_file;');
  await stage.administer("CREATE ROLE shop LOGIN PASSWORD 'theirs'; CREATE DATABASE shop OWNER shop;");
});
afterAll(() => stage?.close());
beforeEach(async () => {
  spec = stage.spec('0000000000000001');
  await stage.apply(spec);
});

const read = async () => (await stage.host.files.read(hba)) ?? '';
const write = (text: string) => stage.host.files.write(hba, text, { mode: 0o640 });
const bySocket = (login: DbSpec) => subject.ask(stage.host, stage.daemon.socket, login, 'SELECT 1;');

it('“localhost” is the host’s own socket, with the password, for that site only', async () => {
  await expect(bySocket(spec)).rejects.toThrow('pg_hba.conf rejects connection');
  const local = { ...spec, from: ['localhost'] };
  await stage.apply(local);
  expect(await stage.plan(local)).toEqual([]);
  expect(await bySocket(local)).toEqual(['1']);
  await expect(bySocket({ ...local, password: 'wrong' })).rejects.toThrow('password authentication failed');
  await expect(bySocket({ ...local, database: 'shop' })).rejects.toThrow('pg_hba.conf rejects connection');
  await expect(stage.ask(local, WEB1)).rejects.toThrow(WEB1);
  await stage.apply(spec);
  await expect(bySocket(spec)).rejects.toThrow('pg_hba.conf rejects connection');
});

it('a connection by the socket ends when the site moves to other servers', async () => {
  await stage.apply({ ...spec, from: ['localhost'] });
  const asked = subject.ask(stage.host, stage.daemon.socket, spec, 'SELECT pg_sleep(90);').then(
    () => 'it was let finish',
    () => 'ended',
  );
  const connected = () => stage.administer('SELECT usename FROM pg_stat_activity;');
  await expect.poll(connected).toContain(spec.user);
  expect((await stage.apply(spec)).join()).toContain('not the socket');
  expect(await asked).toBe('ended');
});

describe('rules of others', () => {
  it('before ours are found, and stand behind ours afterwards', async () => {
    const sound = await read();
    await write(`host all all all trust\n${sound}`);
    expect((await stage.plan(spec)).join()).toContain('rules of others stood before them');
    await stage.apply(spec);
    expect(await stage.plan(spec)).toEqual([]);
    expect(await read()).toContain('# END aegir\nhost all all all trust\n');
    await expect(stage.ask(spec, STRANGER)).rejects.toThrow(STRANGER);
    await write(sound);
  });

  it('that the server does not understand stop a change before anything is written, by their line', async () => {
    const broken = `${await read()}host all nonsense\n`;
    const number = broken.split('\n').length - 1;
    await write(broken);
    const moved = { ...spec, from: [STRANGER] };
    await expect(stage.apply(moved)).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining(`does not understand line ${number} of ${hba}; mend that`),
    });
    expect(await read()).toBe(broken);
    const findings = await stage.engine.check(stage.service, stage.ctx);
    expect(findings.map(({ text }) => text).join()).toContain(`wrong in line ${number}`);
    expect(await stage.ask(spec, WEB1)).toEqual(['1']);
    await write(broken.replace('host all nonsense\n', ''));
    await stage.apply(spec);
  });
});

it('a server that does not read its configuration keeps its lines as they were', async () => {
  const before = await read();
  const broken = `${stage.daemon.includeDir}/broken.conf`;
  await stage.host.files.write(broken, 'nonsense\n', { mode: 0o644 });
  await expect(stage.apply({ ...spec, from: [STRANGER] })).rejects.toThrow(
    /does not take its configuration; mend .*broken\.conf:1/,
  );
  expect(await read()).toBe(before);
  await stage.host.files.remove(broken);
  await stage.daemon.reload();
  expect(await stage.plan(spec)).toEqual([]);
  expect(await stage.ask(spec, WEB1)).toEqual(['1']);
  await expect(stage.ask(spec, STRANGER)).rejects.toThrow(STRANGER);
});

it('changes of several sites at once each keep what the others wrote', async () => {
  const bodies = ['1', '2', '3', '4', '5'].map((last) => `000000000000001${last}`);
  const specs = bodies.map((body) => stage.spec(body));
  await Promise.all(specs.map((each) => stage.apply(each)));
  for (const each of specs) {
    expect(await stage.plan(each)).toEqual([]);
    expect(await stage.ask(each, WEB1)).toEqual(['1']);
  }
  await Promise.all(specs.map(({ siteId }) => stage.remove(siteId)));
  expect((await read()).match(/s_000000000000001/g)).toBeNull();
});

it('what a site owns in a database of others becomes the administrator’s, and is not dropped', async () => {
  const harm = `\\connect shop\nCREATE TABLE theirs AS SELECT 5 AS i; ALTER TABLE theirs OWNER TO ${spec.user};`;
  for (const end of [() => stage.apply(spec), () => stage.remove(spec.siteId)]) {
    await stage.administer(harm);
    await end();
    expect(
      await stage.administer("\\connect shop\nSELECT i, tableowner FROM theirs, pg_tables WHERE tablename = 'theirs';"),
    ).toEqual([`5|${stage.daemon.user}`]);
    await stage.administer('\\connect shop\nDROP TABLE theirs;');
    await stage.apply(spec);
    expect(await stage.plan(spec)).toEqual([]);
  }
});

it('a dump that an administrator put back is the site’s; what an extension brought is not', async () => {
  await stage.administer(`\\connect ${spec.database}
DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC;
CREATE EXTENSION citext;
CREATE SCHEMA "Odd ""name"; CREATE TYPE mood AS ENUM ('good'); CREATE DOMAIN word AS text; CREATE TYPE pair AS (a int, b int);
CREATE TABLE "Odd ""name"."t;x" (id serial PRIMARY KEY, other int GENERATED ALWAYS AS IDENTITY, m mood); CREATE SEQUENCE free;
CREATE VIEW seen AS SELECT 1 AS i; CREATE MATERIALIZED VIEW kept AS SELECT 1 AS i;
CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'; CREATE AGGREGATE total(integer) (sfunc = int4pl, stype = int);
CREATE FUNCTION theirs() RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
CREATE TABLE parts (i int) PARTITION BY RANGE (i); CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (1) TO (2);`);
  expect((await stage.plan(spec)).join()).toMatch(
    /give 12 things in database \S+ to its user \(a superuser owned them\)/,
  );
  await stage.apply(spec);
  expect(await stage.plan(spec)).toEqual([]);
  const sql = `INSERT INTO "Odd ""name"."t;x" (m) VALUES ('good') RETURNING id; ALTER TABLE parts ADD COLUMN j int;
DROP AGGREGATE total(integer); DROP TYPE pair; DROP DOMAIN word; DROP MATERIALIZED VIEW kept; SELECT nextval('free');`;
  expect(await stage.ask(spec, WEB1, sql)).toEqual(['1', '1']);
  const left = `\\connect ${spec.database}
SELECT DISTINCT proname FROM pg_proc WHERE proowner = CURRENT_USER::regrole AND proname IN ('theirs', 'citext_eq', 'f') ORDER BY 1;`;
  expect(await stage.administer(left)).toEqual(['citext_eq', 'theirs']);
});

it('a database of another encoding is refused with what to do, and left as it is', async () => {
  await stage.administer(`DROP DATABASE ${spec.database};
CREATE DATABASE ${spec.database} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C';`);
  await expect(stage.plan(spec)).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringMatching(/its encoding is SQL_ASCII.*dump it, make it anew with ENCODING 'UTF8'/),
  });
  await stage.remove(spec.siteId);
});

it('a database whose dropping was interrupted is made anew, or lost when it held content', async () => {
  const interrupt = `UPDATE pg_database SET datconnlimit = -2 WHERE datname = '${spec.database}';`;
  await stage.administer(interrupt);
  await expect(stage.plan({ ...spec, holdsContent: true })).rejects.toThrow(/content of the site/);
  expect((await stage.apply(spec)).join()).toContain(`create database ${spec.database}`);
  expect(await stage.plan(spec)).toEqual([]);
  expect(await stage.ask(spec, WEB1)).toEqual(['1']);
  await stage.administer(interrupt);
  await stage.remove(spec.siteId);
  expect(await stage.sites()).toEqual([]);
});

it('what a site set for its own database or hid in its own schema does not reach the agent', async () => {
  await stage.ask(
    spec,
    WEB1,
    `CREATE FUNCTION public.has_schema_privilege(oid, oid, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''caught''; END';
CREATE FUNCTION public.format(text, text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'ALTER ROLE ${spec.user} SUPERUSER' $$;
ALTER DATABASE ${spec.database} SET search_path = public, pg_catalog; ALTER DATABASE ${spec.database} SET client_encoding = 'LATIN1';`,
  );
  await stage.administer(`\\connect ${spec.database}\nCREATE TABLE put_back (i int);`);
  expect(await stage.apply(spec)).toHaveLength(1);
  expect(await stage.administer(`SELECT rolsuper FROM pg_authid WHERE rolname = '${spec.user}';`)).toEqual(['f']);
});

it('a second cluster of the same program is another service', async () => {
  const other = { ...stage.service, instance: '15-other' };
  await expect(stage.engine.plan(other, spec, stage.ctx)).rejects.toThrow(/no cluster 15-other/);
  await runChanges(await stage.engine.plan({ ...stage.service, instance: '15-main' }, spec, stage.ctx), stage.ctx);
});
