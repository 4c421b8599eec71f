// A database that follows another one, between two real servers: nothing is lost or doubled of what is written meanwhile,
// nothing of others comes along, no code of the site gets more rights than the site has, and nothing is left.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseName, databaseUser } from '../../../../shared/database-name.ts';
import type { DbSpec, ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import { createEmbeddedHost } from '../../../host/embedded/host.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import { psql } from '../../../host/postgresql-reload.ts';
import { waitUntil } from '../../../host/wait.ts';
import { contextOf } from '../../conformance/interruption.ts';
import { rows } from '../../conformance/rows.ts';
import { type ActionContext, type DumpFacts, runChanges } from '../../engine.ts';
import { createPostgresqlEngine } from './engine.ts';

interface Server {
  readonly host: Host;
  readonly daemon: Daemon;
  readonly ctx: ActionContext;
  sql(text: string, database?: string): Promise<readonly string[]>;
  configure(lines: string): Promise<void>;
}

const engine = createPostgresqlEngine();
const service: ServiceRef = {
  ...{ id: 'svc-0000000000000001', serverId: 'srv-0000000000000001', type: 'db', engine: 'postgresql' },
  ...{ version: '', instance: '', settings: {}, secrets: {} },
};
const CLUSTER = 'postgresql@15-main';
const PASSWORD = 'secret-of-the-follower-0123456789';
// Connections to any loopback address come from there.
const FOLLOWER = { addresses: ['127.0.0.1'], password: PASSWORD };
const LOGICAL = 'wal_level = logical\nmax_wal_senders = 4\n';
const TABLES = `CREATE TABLE things (id SERIAL PRIMARY KEY, v TEXT);
CREATE TABLE bare (v TEXT, n INT);
CREATE TABLE parted (day INT, v TEXT) PARTITION BY RANGE (day); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
INSERT INTO things (v) VALUES ('kept 🗝'); INSERT INTO bare VALUES ('a', 1), ('a', 1), ('b', 2); INSERT INTO parted VALUES (1, 'p');`;
let dir: string;
let old: Server;
let fresh: Server;
const said: string[] = [];

function specOf(body: string): DbSpec {
  const siteId = `site-${body}`;
  const names = { database: databaseName(siteId), user: databaseUser(siteId) };
  return { siteId, ...names, password: 'secret', from: ['127.0.47.3'], holdsContent: false, frozen: false };
}
const spec = specOf('0000000000000001');
const other = specOf('0000000000000002');
const NAME = 'f_0000000000000001';

async function start(name: string, address: string): Promise<Server> {
  const host = await createEmbeddedHost({
    ...{ dir: join(dir, name), hostname: `${name}.test`, address },
    // No other program has the address.
    ports: { nginx: 1, mariadb: 1, postgresql: 5432 },
    daemons: [CLUSTER],
  });
  const daemon = await host.daemon(CLUSTER);
  if (daemon === undefined) throw new Error('there is no PostgreSQL');
  return {
    host,
    daemon,
    ctx: { ...contextOf(host), log: (level, text) => void said.push(`${level}: ${text}`) },
    async sql(text, database = 'postgres') {
      const argv = psql(daemon, database).map((each) => (each === '--set=VERBOSITY=sqlstate' ? '--quiet' : each));
      const { code, stdout, stderr } = await host.run({
        argv: argv as [string, ...string[]],
        input: text,
        user: daemon.user,
      });
      if (code !== 0) throw new Error(stderr);
      return stdout.split('\n').filter((line) => line !== '');
    },
    async configure(lines) {
      await host.files.write(join(daemon.includeDir, 'test.conf'), lines, { mode: 0o644 });
      await daemon.restart();
    },
  };
}

const apply = async ({ ctx }: Server, wanted: DbSpec) => runChanges(await engine.plan(service, wanted, ctx), ctx);
const open = (preview = false) => engine.openReplica(service, spec, FOLLOWER, preview, old.ctx);
const leader = () => ({ address: old.daemon.addresses[0] ?? '', port: old.daemon.port, password: PASSWORD });
const follow = (verb: 'start' | 'status' | 'stop', position = '', to = leader()) =>
  engine.follow(service, spec, to, verb, position, fresh.ctx);
/** As the site: what a superuser makes is none of its own. */
const asSite = (text: string) => `SET ROLE ${spec.user};\n${text}`;
async function copy(): Promise<string> {
  let facts: DumpFacts | undefined;
  const dump = engine.dump(service, spec, old.ctx, (told) => {
    facts = told;
  });
  await engine.restore(service, spec, dump, fresh.ctx);
  return facts?.position ?? '';
}
const caughtUp = async (): Promise<void> => {
  const { position } = await open();
  let last: unknown;
  const come = await waitUntil(async () => {
    const status = await follow('status', position);
    last = status;
    return status.caughtUp;
  }, 60_000);
  expect(come, JSON.stringify(last)).toBe(true);
};
const content = ({ sql }: Server, tables: readonly string[] = ['things', 'bare', 'parted']) =>
  sql(
    `${tables.map((table) => `SELECT '${table}', count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ${table} t;`).join('\n')}
SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 2;`,
    spec.database,
  );

/** All that following may leave, on both sides. */
async function traces(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { sql, host, daemon } of [old, fresh]) {
    found.push(
      ...(await sql(`SELECT slot_name FROM pg_replication_slots; SELECT subname FROM pg_subscription;
SELECT roname FROM pg_replication_origin; SELECT rolname FROM pg_roles WHERE rolname ~ '^f_';`)),
      ...(await sql(
        `SELECT pubname FROM pg_publication; SELECT evtname FROM pg_event_trigger; SELECT nspname FROM pg_namespace WHERE nspname ~ '^f_';
SELECT relname, relreplident FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND relreplident <> 'd';`,
        spec.database,
      ).catch(() => [])),
    );
    const hba = await host.files.read(join(daemon.includeDir, '..', 'pg_hba.conf'));
    found.push(...(hba ?? '').split('\n').filter((line) => / f_/.test(line)));
  }
  return found;
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-replica-'));
  await chmod(dir, 0o755);
  old = await start('old', '127.0.47.1');
  fresh = await start('fresh', '127.0.47.2');
  await old.configure(LOGICAL);
});
afterAll(async () => {
  await Promise.all([old?.host.close(), fresh?.host.close()]);
  await rm(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  said.length = 0;
  for (const server of [fresh, old]) {
    for (const each of [spec, other]) {
      await runChanges(await engine.remove(service, each.siteId, undefined, server.ctx), server.ctx);
    }
    await apply(server, spec);
  }
  await apply(old, other);
  await old.sql(`SET ROLE ${other.user};\nCREATE TABLE things (id SERIAL PRIMARY KEY, v TEXT);`, other.database);
  await old.sql(asSite(TABLES), spec.database);
});

describe('a database that follows another one', () => {
  it('has what was written while it was copied and since, once, and nothing of others; nothing is left', async () => {
    expect(await traces()).toEqual([]);
    await open();
    let isOver = false;
    let rounds = 0;
    const writing = (async () => {
      for (let n = 0; !isOver; n++) {
        await old.sql(
          asSite(`INSERT INTO things (v) VALUES ('${n} ä🗝'); UPDATE things SET v = v || '!' WHERE id = (SELECT max(id) FROM things);
BEGIN; INSERT INTO bare VALUES ('${n}', ${n}); INSERT INTO parted VALUES (${n % 10}, '${n}'); COMMIT;
UPDATE bare SET n = n + 1 WHERE v = 'a'; DELETE FROM bare WHERE v = '${n - 3}'; DELETE FROM things WHERE v LIKE '${n - 5} %';
BEGIN; INSERT INTO things (v) VALUES ('never'); ROLLBACK;`),
          spec.database,
        );
        await old.sql(`INSERT INTO things (v) VALUES ('theirs');`, other.database);
        rounds = n;
      }
    })();
    const position = await copy();
    expect(position).toMatch(/^f_0000000000000001_[0-9a-f]{16}_[0-9a-f]{8}$/);
    await follow('start', position);
    await follow('start', position);
    await old.sql(`CREATE TABLE later (id INT PRIMARY KEY); INSERT INTO later VALUES (1);`, other.database);
    const reached = rounds + 20;
    expect(await waitUntil(async () => rounds > reached, 60_000)).toBe(true);
    await old.sql(asSite('TRUNCATE parted_1; INSERT INTO parted VALUES (3, $$after$$);'), spec.database);
    isOver = true;
    await writing;
    await old.sql("SELECT setval('things_id_seq', 100000, false);", spec.database);
    await caughtUp();
    expect(await content(fresh)).toEqual(await content(old));
    expect(await fresh.sql("SELECT nextval('things_id_seq');", spec.database)).toEqual(['100000']);
    expect(await fresh.sql('SELECT datname FROM pg_database;')).not.toContain(other.database);
    await follow('stop');
    await follow('stop');
    await engine.closeReplica(service, spec, old.ctx);
    await engine.closeReplica(service, spec, old.ctx);
    expect(await traces()).toEqual([]);
    for (const { ctx } of [old, fresh]) expect(await engine.plan(service, spec, ctx)).toEqual([]);
    expect(said.join('\n')).not.toContain(PASSWORD);
    console.log(`followed through ${rounds} rounds of writes`);
  });

  it('goes on when either server was restarted', async () => {
    await open();
    const position = await copy();
    await follow('start', position);
    await fresh.daemon.restart();
    await old.sql(asSite("INSERT INTO things (v) VALUES ('while it was away');"), spec.database);
    await old.daemon.restart();
    await old.sql(asSite("INSERT INTO things (v) VALUES ('after'); DELETE FROM bare WHERE v = 'b';"), spec.database);
    await follow('start', position);
    await caughtUp();
    expect(await content(fresh)).toEqual(await content(old));
  });

  it('is begun again after a death anywhere in it', async () => {
    const dying =
      (point: string) =>
      (name: string): void => {
        if (name === point) throw new Error(`died at ${name}`);
      };
    for (const point of ['agent.db.follower-let-in', 'agent.db.published']) {
      const ctx = { ...old.ctx, failpoint: dying(point) };
      await expect(engine.openReplica(service, spec, FOLLOWER, false, ctx)).rejects.toThrow(point);
    }
    await open();
    // A dump that died left its slot, and another one that nobody wants any more.
    const first = await copy();
    const position = await copy();
    expect(position).not.toBe(first);
    expect(await old.sql('SELECT slot_name FROM pg_replication_slots;')).toEqual([position]);
    await expect(follow('start', first)).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringMatching(/no slot of that dump/),
    });
    for (const point of ['agent.db.following-cleared', 'agent.db.subscribed']) {
      const ctx = { ...fresh.ctx, failpoint: dying(point) };
      await expect(engine.follow(service, spec, leader(), 'start', position, ctx)).rejects.toThrow(point);
    }
    await follow('start', position);
    await old.sql(asSite("INSERT INTO things (v) VALUES ('x');"), spec.database);
    await caughtUp();
    expect(await content(fresh)).toEqual(await content(old));
    for (const { ctx } of [fresh, old]) {
      const failing = { ...ctx, failpoint: dying('agent.change') };
      await expect(
        ctx === fresh.ctx
          ? engine.follow(service, spec, leader(), 'stop', '', failing)
          : engine.closeReplica(service, spec, failing),
      ).rejects.toThrow('died');
    }
    await follow('stop');
    await engine.closeReplica(service, spec, old.ctx);
    expect(await traces()).toEqual([]);
  });

  it('is gone with its site, on both sides, and verify mends what was left of it', {
    tags: ['deep'],
  }, async () => {
    for (const how of ['remove', 'plan'] as const) {
      await open();
      await follow('start', await copy());
      // Frozen at the end of a move it is still followed.
      expect((await apply(old, { ...spec, frozen: true })).join('; ')).toMatch(/^lock s_/);
      expect(await old.sql('SELECT count(*) FROM pg_replication_slots;')).toEqual(['1']);
      for (const server of [fresh, old]) {
        const { ctx } = server;
        const look = () =>
          how === 'plan' ? engine.plan(service, spec, ctx) : engine.remove(service, spec.siteId, spec, ctx);
        const changes = (await look()).map(({ summary }) => summary).join('; ');
        expect(changes).toMatch(server === old ? /end whoever follows .* and the slot of it/ : /end following of/);
        await runChanges(await look(), ctx);
        expect(await look()).toEqual([]);
      }
      expect(await traces()).toEqual([]);
      if (how === 'remove') {
        for (const server of [fresh, old]) await apply(server, spec);
        await old.sql(asSite(TABLES), spec.database);
      }
    }
  });

  it('says what stopped it, without what was in it', async () => {
    await open();
    await follow('start', await copy());
    await caughtUp();
    await fresh.sql("INSERT INTO things (id, v) VALUES (7, 'secret-of-mine');", spec.database);
    await old.sql(asSite("INSERT INTO things (id, v) VALUES (7, 'secret-of-mine');"), spec.database);
    expect(await waitUntil(async () => !(await follow('status')).running, 60_000)).toBe(true);
    const status = await follow('status');
    expect(status).toMatchObject({ running: false, error: expect.stringMatching(/does not fit here/) });
    expect(JSON.stringify(status)).not.toContain('secret-of-mine');
  });

  it('notices that the slot is gone', { tags: ['deep'] }, async () => {
    await open();
    await follow('start', await copy());
    await caughtUp();
    await engine.closeReplica(service, spec, old.ctx);
    await open();
    expect(await waitUntil(async () => !(await follow('status')).running, 60_000)).toBe(true);
    expect(await follow('status')).toMatchObject({ error: expect.stringMatching(/no longer has the changes/) });
  });

  it('runs code of the site with no more rights than the site has, and lets it not change where it leads', async () => {
    const evil = (
      id: number,
      statement: string,
    ) => `CREATE FUNCTION e${id}(t TEXT) RETURNS BOOLEAN LANGUAGE plpgsql AS $$ BEGIN
  IF current_setting('session_replication_role') <> 'replica' THEN RETURN true; END IF;
  BEGIN ${statement}; EXCEPTION WHEN insufficient_privilege THEN INSERT INTO public.refused VALUES (${id}, current_user); END; RETURN true; END $$;
ALTER TABLE things ADD CHECK (public.e${id}(v));`;
    await old.sql(
      asSite(
        `CREATE TABLE refused (i INT PRIMARY KEY, who TEXT);
${evil(1, `EXECUTE 'ALTER SUBSCRIPTION ${NAME} SET (synchronous_commit = ''on'')'`)}
${evil(2, "EXECUTE 'CREATE ROLE evil SUPERUSER'")}
${evil(3, `EXECUTE 'DROP EVENT TRIGGER ${NAME}'`)}
${evil(4, "PERFORM pg_catalog.pg_read_file('/etc/passwd')")}
${evil(5, `EXECUTE 'ALTER SUBSCRIPTION ${NAME} CONNECTION ''host=/tmp dbname=postgres'''`)}`,
      ),
      spec.database,
    );
    await open();
    await follow('start', await copy());
    await old.sql(asSite("INSERT INTO things (v) VALUES ('x');"), spec.database);
    await caughtUp();
    expect(await fresh.sql('SELECT i, who FROM refused ORDER BY i;', spec.database)).toEqual(
      [1, 2, 3, 4, 5].map((i) => `${i}|${NAME}`),
    );
    expect(await fresh.sql(`SELECT rolsuper FROM pg_roles WHERE rolname = '${NAME}';`)).toEqual(['f']);
  });
});

describe('it cannot be followed', () => {
  const configured = [
    ['max_wal_senders = 4\n', /its wal_level is replica; set wal_level = logical/],
    ['wal_level = logical\nmax_wal_senders = 0\n', /no more max_wal_senders/],
    ['wal_level = logical\nmax_wal_senders = 4\nmax_replication_slots = 0\n', /no more max_replication_slots/],
  ] as const;
  for (const [some, options] of rows(configured, 1))
    it.each(some)('from a server that is configured with %j, and is told so', options, async (lines, why) => {
      await old.configure(lines);
      try {
        for (const preview of [true, false]) {
          await expect(open(preview)).rejects.toMatchObject({
            code: 'failed_precondition',
            message: expect.stringMatching(why),
          });
        }
        expect(await traces()).toEqual([]);
        expect(await copy()).toBe('');
      } finally {
        await old.configure(LOGICAL);
      }
    });

  const containing = [
    ['CREATE UNLOGGED TABLE u (a INT);', /1 of its tables is unlogged/],
    ['CREATE MATERIALIZED VIEW m AS SELECT 1 AS i;', /1 materialized view, whose content/],
    ["SELECT lo_from_bytea(0, 'x');", /1 large object, which do/],
    ['CREATE TABLE j (a JSON);', /1 of its tables has no primary key, and values/],
    ['ALTER TABLE things FORCE ROW LEVEL SECURITY;', /FORCE ROW LEVEL SECURITY/],
    [
      'CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; CREATE TRIGGER t BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION t(); ALTER TABLE things ENABLE ALWAYS TRIGGER t;',
      /1 trigger of it would run on both/,
    ],
  ] as const;
  for (const [some, options] of rows(containing, 1))
    it.each(some)('with %j in it', options, async (sql, why) => {
      await old.sql(asSite(sql), spec.database);
      await expect(open(true)).rejects.toMatchObject({ message: expect.stringMatching(why) });
    });

  const changing = [
    'CREATE TABLE fresh (id INT PRIMARY KEY);',
    'CREATE INDEX i ON things (v);',
    'ALTER TABLE bare ADD c INT; ALTER TABLE bare DROP c;',
    'ALTER TABLE bare ALTER n TYPE INT USING n + 1;',
    'DROP TABLE bare; CREATE TABLE bare (v TEXT, n INT);',
    "SELECT lo_from_bytea(0, 'x');",
  ];
  for (const [some, options] of rows(changing, 1))
    it.each(some)('any more after %s since the copy; the site is not hindered', options, async (sql) => {
      await open();
      await follow('start', await copy());
      await old.sql(asSite(`${sql}; UPDATE bare SET n = 5; DELETE FROM bare;`), spec.database);
      await expect(open()).rejects.toMatchObject({
        code: 'failed_precondition',
        message: expect.stringMatching(/tables were changed since it was copied|large object/),
      });
    });

  const losing = [
    'ALTER TABLE things DROP CONSTRAINT things_pkey;',
    'ALTER TABLE things DROP id;',
    'BEGIN; ALTER TABLE things DROP CONSTRAINT things_pkey, ADD CONSTRAINT k UNIQUE (id); COMMIT;',
  ];
  for (const [some, options] of rows(losing, 1))
    it.each(some)(
      'and a site that loses a key by %s goes on changing rows; the copy has none of it',
      options,
      async (sql) => {
        await open();
        const position = await copy();
        expect(await fresh.sql('SELECT evtname FROM pg_event_trigger; ', spec.database)).toEqual([]);
        await follow('start', position);
        await old.sql(asSite(`${sql} UPDATE things SET v = 'mine'; DELETE FROM things;`), spec.database);
        await expect(open()).rejects.toMatchObject({
          code: 'failed_precondition',
          message: expect.stringMatching(/tables were changed since it was copied/),
        });
        // Copied again, as it is then, without what watches over it.
        await follow('stop');
        await copy();
        expect(await fresh.sql("SELECT nspname FROM pg_namespace WHERE nspname ~ '^f_';", spec.database)).toEqual([]);
        await engine.closeReplica(service, spec, old.ctx);
        const left = (await traces()).filter((line) => !/^(bare|things|parted_1)\|f$/.test(line));
        expect(left).toEqual([]);
        const identities = "SELECT relreplident FROM pg_class WHERE relname IN ('bare', 'things', 'parted_1');";
        expect(await old.sql(identities, spec.database)).toEqual(['d', 'd', 'd']);
      },
    );

  it('but what only changes rows is no change of it', async () => {
    await open();
    await follow('start', await copy());
    await old.sql('VACUUM FULL; ANALYZE; REINDEX TABLE things;', spec.database);
    await old.sql(
      asSite('CREATE TEMP TABLE x (a INT PRIMARY KEY); TRUNCATE bare; TRUNCATE things RESTART IDENTITY;'),
      spec.database,
    );
    await caughtUp();
    expect(await content(fresh)).toEqual(await content(old));
  });

  it('with a wrong password, from no position, and where nobody listens', { tags: ['deep'] }, async () => {
    await open();
    const position = await copy();
    await expect(follow('start', '')).rejects.toMatchObject({ code: 'failed_precondition' });
    await expect(follow('start', position, { ...leader(), password: 'wrong' })).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringMatching(/does not let this server in/),
    });
    await expect(follow('start', position, { ...leader(), port: 1 })).rejects.toMatchObject({ code: 'unavailable' });
    expect(await fresh.sql('SELECT count(*) FROM pg_subscription;')).toEqual(['0']);
  });

  it('and a preview changes nothing', async () => {
    const { position } = await open(true);
    expect(position).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
    expect(await traces()).toEqual([]);
  });
});

it('who follows reads this database by its account, and takes no copy of the server', async () => {
  await open();
  const ask = async (database: string, sql: string) => {
    const place = `host=127.0.47.1 port=5432 user=${NAME} dbname=${database}`;
    const { code, stdout, stderr } = await fresh.host.run({
      argv: [fresh.daemon.program.replace(/postgres$/, 'psql'), '-XAtq', '-d', place],
      env: { PATH: '/usr/bin:/bin', PGPASSWORD: PASSWORD },
      input: sql,
    });
    return code === 0 && stderr === '' ? stdout.trim() : stderr;
  };
  expect(await ask(spec.database, 'SELECT v FROM things;')).toBe('kept 🗝');
  expect(await ask(spec.database, "INSERT INTO things (v) VALUES ('x');")).toMatch(/permission denied/);
  expect(await ask(other.database, 'SELECT 1;')).toMatch(/pg_hba.conf rejects/);
  expect(await ask('x replication=true', 'IDENTIFY_SYSTEM;')).toMatch(/pg_hba.conf rejects replication/);
});

it('a copy of it waits for an index that takes hours to build, and says nothing meanwhile', {
  tags: ['deep'],
}, async () => {
  const waits: number[] = [];
  const stream: Host['stream'] = (command) => {
    waits.push(command.idleMs ?? 0);
    return fresh.host.stream(command);
  };
  const ctx = { ...fresh.ctx, host: { ...fresh.host, stream } };
  await engine.restore(service, spec, engine.dump(service, spec, old.ctx), ctx);
  expect(waits.length).toBeGreaterThan(0);
  expect(Math.min(...waits)).toBeGreaterThan(3_600_000);
});
