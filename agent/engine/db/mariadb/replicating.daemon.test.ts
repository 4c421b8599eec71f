// A database that follows another one, between two real servers: nothing is lost or doubled of what is written meanwhile,
// nothing of others comes along, and nothing is left.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseName, databaseUser } from '../../../../shared/database-name.ts';
import type { AegirError } from '../../../../shared/error.ts';
import type { DbSpec, ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import { createEmbeddedHost } from '../../../host/embedded/host.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import { waitUntil } from '../../../host/wait.ts';
import { MARIADB_DUMPS } from '../../conformance/db-mariadb-dumps.ts';
import { contextOf } from '../../conformance/interruption.ts';
import { rows } from '../../conformance/rows.ts';
import { type ActionContext, type ChangeFacts, type DumpFacts, runChanges } from '../../engine.ts';
import { decodeFrames, encodeFrame, type Frame, HEAD } from './change-frame.ts';
import { createMariadbEngine } from './engine.ts';
import { createReplay, FORMAT } from './replay.ts';

interface Server {
  readonly host: Host;
  readonly daemon: Daemon;
  readonly ctx: ActionContext;
  sql(text: string, database?: string): Promise<readonly string[]>;
  configure(lines: string): Promise<void>;
}

const engine = createMariadbEngine();
const service: ServiceRef = {
  ...{ id: 'svc-0000000000000001', serverId: 'srv-0000000000000001', type: 'db', engine: 'mariadb' },
  ...{ version: '', instance: '', settings: {}, secrets: {} },
};
const LOG = 'log-bin = changes\nbinlog_format = ROW\n';
let dir: string;
let old: Server;
let fresh: Server;

function specOf(body: string): DbSpec {
  const siteId = `site-${body}`;
  const names = { database: databaseName(siteId), user: databaseUser(siteId) };
  return { siteId, ...names, password: 'secret', from: ['127.0.46.3'], holdsContent: false, frozen: false };
}
const spec = specOf('0000000000000001');
const other = specOf('0000000000000002');

async function start(name: string, address: string): Promise<Server> {
  const host = await createEmbeddedHost({
    dir: join(dir, name),
    hostname: `${name}.test`,
    address,
    // No other program has the address.
    ports: { nginx: 1, mariadb: 3306 },
    daemons: ['mariadb'],
  });
  const daemon = await host.daemon('mariadb');
  if (daemon === undefined) throw new Error('there is no MariaDB');
  return {
    host,
    daemon,
    ctx: contextOf(host),
    async sql(text, database = 'mysql') {
      const { code, stdout, stderr } = await host.run({
        argv: [
          'mariadb',
          ...['--no-defaults', '--batch', '--skip-column-names', '--default-character-set=utf8mb4'],
          ...[`--socket=${daemon.socket}`, `--user=${daemon.user}`, database],
        ],
        input: text,
      });
      if (code !== 0) throw new Error(stderr);
      return stdout.split('\n').filter((line) => line !== '');
    },
    async configure(lines) {
      await host.files.write(join(daemon.includeDir, 'test.cnf'), `[mariadbd]\n${lines}`, { mode: 0o644 });
      await daemon.restart();
    },
  };
}

const make = async ({ ctx }: Server, wanted: DbSpec) => runChanges(await engine.plan(service, wanted, ctx), ctx);
/** Frames as they travel. */
async function taken(position: string): Promise<{ readonly bytes: Buffer; readonly facts: ChangeFacts }> {
  let facts: ChangeFacts | undefined;
  const pieces: Uint8Array[] = [];
  for await (const piece of engine.changes(service, spec, position, old.ctx, (told) => {
    facts = told;
  })) {
    pieces.push(piece);
  }
  if (facts === undefined) throw new Error('it did not tell where the next changes begin');
  return { bytes: Buffer.concat(pieces), facts };
}
async function* inPieces(bytes: Buffer, size = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const apply = (from: string, bytes: Buffer, ctx: ActionContext = fresh.ctx) =>
  engine.applyChanges(service, spec, from, inPieces(bytes), ctx);
/** Answers where the next changes begin, and how many came. */
async function bring(from: string, since: string): Promise<readonly [string, number]> {
  const { bytes, facts } = await taken(since);
  return [facts.position, await apply(from, bytes)];
}
async function copy(): Promise<string> {
  let facts: DumpFacts | undefined;
  const dump = engine.dump(service, spec, old.ctx, (told) => {
    facts = told;
  });
  await engine.restore(service, spec, dump, fresh.ctx);
  return facts?.position ?? '';
}
const SUM = `SELECT GROUP_CONCAT(CONCAT(table_name, ' ', table_type) ORDER BY table_name) FROM information_schema.tables WHERE table_schema = DATABASE();
SHOW CREATE TABLE things; CHECKSUM TABLE things EXTENDED; SELECT COUNT(*) FROM things;`;
/** What was undone counts up the numbers to come on one side alone. */
const sum = async ({ sql }: Server) =>
  (await sql(SUM, spec.database)).map((line) => line.replace(/ AUTO_INCREMENT=[0-9]+/, ''));
const count = async (server: Server) => Number((await sum(server)).at(-1));

/** All that following may leave. */
async function traces(): Promise<readonly string[]> {
  const tables = await fresh.sql("SHOW TABLES LIKE 'aegir%';");
  const accounts = await old.sql("SELECT user FROM global_priv WHERE user LIKE 'f\\_%';");
  const open = await fresh.sql(
    "SELECT user FROM global_priv WHERE user LIKE 'd\\_%' AND JSON_VALUE(priv, '$.account_locked') <> 1;",
  );
  return [...tables, ...accounts, ...open];
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-replica-'));
  await chmod(dir, 0o755);
  old = await start('old', '127.0.46.1');
  fresh = await start('fresh', '127.0.46.2');
  await old.configure(LOG);
});
afterAll(async () => {
  await Promise.all([old?.host.close(), fresh?.host.close()]);
  await rm(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const server of [old, fresh]) {
    for (const each of [spec, other]) {
      await runChanges(await engine.remove(service, each.siteId, undefined, server.ctx), server.ctx);
    }
    await make(server, spec);
  }
  await make(old, other);
  await old.sql('CREATE TABLE things (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(40));', other.database);
  await old.sql(
    "CREATE TABLE things (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(40)); INSERT INTO things (v) VALUES ('kept 🗝');",
    spec.database,
  );
});

describe('a database that follows another one', () => {
  it('has what was written while it was copied and since, once, and nothing of others; nothing is left', async () => {
    const before = await traces();
    expect(before).toEqual([]);
    await old.sql("CREATE TABLE cache (id INT PRIMARY KEY, w VARCHAR(9) DEFAULT 'é');", spec.database);
    let isOver = false;
    const writing = (async () => {
      for (let n = 0; !isOver; n++) {
        await old.sql(
          `INSERT INTO things (v) VALUES ('${n} ä🗝'); UPDATE things SET v = CONCAT(v, '!') ORDER BY id DESC LIMIT 1;`,
          spec.database,
        );
        await old.sql(`INSERT INTO things (v) VALUES ('theirs');`, other.database);
        // From another database, as nobody but an administrator can.
        await old.sql(`INSERT INTO ${spec.database}.things (v) VALUES ('from elsewhere');`);
        // In one transaction and in one statement with theirs.
        await old.sql(
          `BEGIN; INSERT INTO things (v) VALUES ('both'); INSERT INTO ${other.database}.things (v) VALUES ('both'); COMMIT;
UPDATE things t JOIN ${other.database}.things o ON o.id = t.id SET t.v = CONCAT('m', ${n}), o.v = CONCAT('o', ${n}) WHERE t.id < 4;
BEGIN; INSERT INTO things (v) VALUES ('never'); ROLLBACK;
BEGIN; INSERT INTO things (v) VALUES ('kept'); SAVEPOINT s; INSERT INTO things (v) VALUES ('never'); ROLLBACK TO s; COMMIT;`,
          spec.database,
        );
      }
    })();
    const dumped = await copy();
    expect(dumped).toMatch(/^changes\.[0-9]{6}:[0-9]+$/);
    let [since] = await bring(dumped, dumped);
    // What others do on the old server stays there.
    await old.sql(
      `CREATE DATABASE elsewhere; CREATE USER somebody; GRANT SELECT ON *.* TO somebody; CREATE PROCEDURE elsewhere.p() SELECT 1;
CREATE TABLE later (id INT PRIMARY KEY); INSERT INTO later VALUES (1); DROP TABLE later;`,
      other.database,
    );
    await old.sql(
      `INSERT INTO cache VALUES (1, 'ü'); TRUNCATE TABLE cache; INSERT INTO cache (id) VALUES (2); FLUSH LOGS; OPTIMIZE TABLE cache;
CREATE TEMPORARY TABLE things (id INT); INSERT INTO things VALUES (7); TRUNCATE TABLE things; DROP TEMPORARY TABLE things;`,
      spec.database,
    );
    [since] = await bring(dumped, since);
    await waitUntil(async () => (await count(old)) > 40, 20_000);
    isOver = true;
    await writing;
    const [end, last] = await bring(dumped, since);
    expect(last).toBeGreaterThan(0);
    expect(await sum(fresh)).toEqual(await sum(old));
    expect(await fresh.sql('SELECT * FROM cache;', spec.database)).toEqual(['2\té']);
    expect(await fresh.sql('SHOW DATABASES;')).not.toContain('elsewhere');
    expect(await fresh.sql('SHOW DATABASES;')).not.toContain(other.database);
    expect(await fresh.sql('SELECT user FROM user;')).not.toContain('somebody');
    // All of it once more, and nothing since.
    expect(await bring(dumped, dumped)).toEqual([end, 0]);
    expect(await bring(dumped, end)).toEqual([end, 0]);
    expect(await sum(fresh)).toEqual(await sum(old));
    await engine.endFollowing(service, spec, fresh.ctx);
    await engine.endFollowing(service, spec, fresh.ctx);
    expect(await traces()).toEqual(before);
    expect(await engine.plan(service, spec, fresh.ctx)).toEqual([]);
    await old.sql('DROP DATABASE elsewhere; DROP USER somebody;');
  });

  it('takes rows of every kind, and long ones, as they are', async () => {
    await old.sql(MARIADB_DUMPS.rich.split('DELIMITER')[0] ?? '', spec.database);
    await old.sql('CREATE TABLE many (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200));', spec.database);
    const dumped = await copy();
    await old.sql(
      `SET sql_mode = '';
UPDATE kinds SET n = 3, f = 0.1, t = CONCAT('o', id), dt = '2020-02-30 00:00:00'; INSERT INTO kinds SELECT NULL, a, d, f, b, 'new', m, bin, REPEAT(bl, 100), da, dt, ts, ti, y, e, s, j, g, n FROM kinds WHERE id = 7;
SET foreign_key_checks = 0; INSERT INTO child VALUES (77, 999); SET foreign_key_checks = 1; DELETE FROM below; DELETE FROM parent WHERE id = 1;
UPDATE latin SET u = 'ß', v = UNHEX('FFFE'); UPDATE parted SET id = 12 WHERE id = 1; UPDATE history SET v = 9; SELECT NEXTVAL(numbers);
INSERT INTO \`odd \`\`name; 'x' -- ẞ\` VALUES (1, 2);
INSERT INTO many (v) SELECT REPEAT(CHAR(65 + seq % 26), 180) FROM seq_1_to_60000;
UPDATE many SET v = CONCAT(v, 'x');`,
      spec.database,
    );
    const [end, count] = await bring(dumped, dumped);
    expect(count).toBeGreaterThan(10);
    const look = `${MARIADB_DUMPS.look} CHECKSUM TABLE many, kinds, child, below, parent EXTENDED; SHOW TABLES;`;
    expect(await fresh.sql(look, spec.database)).toEqual(await old.sql(look, spec.database));
    // Numbers that a server keeps ready are passed over, and never given twice.
    const next = async (server: Server) => Number(await server.sql('SELECT NEXTVAL(numbers);', spec.database));
    expect(await next(fresh)).toBeGreaterThan(await next(old));
    expect(await bring(dumped, end)).toEqual([expect.any(String), 0]);
  });

  it('takes what a trigger did, and has none do it again', async () => {
    await old.sql(
      'CREATE TABLE audit (id INT PRIMARY KEY AUTO_INCREMENT, n INT); CREATE TRIGGER t AFTER INSERT ON things FOR EACH ROW INSERT INTO audit (n) VALUES (NEW.id);',
      spec.database,
    );
    const dumped = await copy();
    await old.sql("INSERT INTO things (v) VALUES ('a'), ('b');", spec.database);
    await fresh.sql("SET GLOBAL slave_run_triggers_for_rbr = 'YES';");
    try {
      await bring(dumped, dumped);
    } finally {
      await fresh.sql("SET GLOBAL slave_run_triggers_for_rbr = 'NO';");
    }
    const look = 'SELECT * FROM audit; SELECT * FROM things;';
    expect(await fresh.sql(look, spec.database)).toEqual(await old.sql(look, spec.database));
  });

  it('waits for a client of an agent that died, and takes nothing again that it took', async () => {
    const dumped = await copy();
    await old.sql("INSERT INTO things (v) VALUES ('x');", spec.database);
    const { bytes } = await taken(dumped);
    // Two at once: one of them finds that the other was there.
    const both = await Promise.allSettled([apply(dumped, bytes), apply(dumped, bytes)]);
    for (const each of both) if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'unavailable' });
    await apply(dumped, bytes);
    expect(await sum(fresh)).toEqual(await sum(old));
  });

  it('goes on, and takes nothing twice, when either server was restarted', async () => {
    const dumped = await copy();
    await old.sql("INSERT INTO things (v) VALUES ('before');", spec.database);
    const [since] = await bring(dumped, dumped);
    await fresh.daemon.restart();
    await old.sql("INSERT INTO things (v) VALUES ('while it was away');", spec.database);
    await old.sql("INSERT INTO things (v) VALUES ('theirs'); CREATE PROCEDURE theirs() SELECT 1;", other.database);
    await old.daemon.restart();
    await old.sql("INSERT INTO things (v) VALUES ('after');", spec.database);
    expect(await bring(dumped, since)).toEqual([expect.any(String), 2]);
    expect(await sum(fresh)).toEqual(await sum(old));
    expect(await fresh.sql('SHOW DATABASES;')).not.toContain(other.database);
  });

  for (const [some, options] of rows(['agent.db.changes-commit', 'agent.db.changes-taken'], 1))
    it.each(some)('is brought whole by a repeat after a death at %s', options, async (point) => {
      const dumped = await copy();
      // A statement and what is in its transaction are not one: what is done twice must be seen.
      await old.sql(
        `INSERT INTO things (v) SELECT seq FROM seq_1_to_300; ${"INSERT INTO things (v) VALUES ('x');".repeat(250)} TRUNCATE TABLE things;
INSERT INTO things (v) SELECT seq FROM seq_1_to_50; ${"INSERT INTO things (v) VALUES ('y');".repeat(150)}`,
        spec.database,
      );
      const { bytes } = await taken(dumped);
      for (let nth = 1; nth < 20; nth++) {
        let left = nth;
        const failpoint = (name: string): void => {
          if (name === point && --left === 0) throw new Error(`died at ${name}`);
        };
        const died = await apply(dumped, bytes, { ...fresh.ctx, failpoint }).then(
          () => false,
          (thrown: Error) => {
            expect(thrown.message).toContain(point);
            return true;
          },
        );
        if (!died) break;
      }
      await apply(dumped, bytes);
      expect(await sum(fresh)).toEqual(await sum(old));
      expect(await traces()).toHaveLength(1);
    });

  it('is gone with its site', async () => {
    const dumped = await copy();
    await bring(dumped, dumped);
    expect(await traces()).toHaveLength(1);
    await runChanges(await engine.remove(service, spec.siteId, spec, fresh.ctx), fresh.ctx);
    expect(await engine.remove(service, spec.siteId, spec, fresh.ctx)).toEqual([]);
    expect(await traces()).toEqual([]);
  });

  it('begins anew with another dump', async () => {
    const first = await copy();
    await old.sql("INSERT INTO things (v) VALUES ('one');", spec.database);
    await bring(first, first);
    await old.sql("INSERT INTO things (v) VALUES ('two');", spec.database);
    const second = await copy();
    await old.sql("INSERT INTO things (v) VALUES ('three');", spec.database);
    expect(await bring(second, second)).toEqual([expect.any(String), 1]);
    expect(await sum(fresh)).toEqual(await sum(old));
  });

  it('says what did not fit, without what was in it', async () => {
    const dumped = await copy();
    await fresh.sql("INSERT INTO things (v) VALUES ('secret-of-mine');", spec.database);
    await old.sql("INSERT INTO things (v) VALUES ('secret-of-mine');", spec.database);
    const failed = await bring(dumped, dumped).catch((thrown: AegirError) => thrown);
    expect(failed).toMatchObject({
      code: 'failed_precondition',
      message: expect.stringMatching(/does not fit here \(error 1062\)/),
    });
    expect(JSON.stringify([failed, (failed as AegirError).message])).not.toContain('secret-of-mine');
  });
});

describe('it cannot be followed', () => {
  const configured = [
    ['', /the MariaDB that it leaves keeps no binary log; set log_bin .* there, and restart it$/],
    ['log-bin = changes\nbinlog_format = MIXED\n', /binlog_format MIXED/],
    [`${LOG}binlog_ignore_db = shop\n`, /leaves out databases/],
    [`${LOG}log_bin_compress = ON\n`, /encrypted or compressed/],
  ] as const;
  for (const [some, options] of rows(configured, 1))
    it.each(some)('from a server that is configured with %j, and is told so', options, async (lines, why) => {
      await old.configure(lines);
      try {
        const refused = { code: 'failed_precondition', message: expect.stringMatching(why) };
        await expect(engine.endOfChanges(service, spec, old.ctx)).rejects.toMatchObject(refused);
        await expect(taken('changes.000001:4')).rejects.toMatchObject(refused);
      } finally {
        await old.configure(LOG);
      }
    });

  it.each([
    ['CREATE TABLE plain (a INT) ENGINE=MyISAM;', /1 of its tables know no transactions/],
    ['CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM things;', /1 of its events would run on both/],
  ])('with %j in it', async (sql, why) => {
    const dumped = await copy();
    await old.sql(sql, spec.database);
    await expect(engine.endOfChanges(service, spec, old.ctx)).rejects.toMatchObject({
      message: expect.stringMatching(why),
    });
    await expect(taken(dumped)).rejects.toMatchObject({ message: expect.stringMatching(why) });
  });

  it('from no place, from the middle of something, and from one that the log does not go back to any more', async () => {
    const dumped = await copy();
    await old.sql("INSERT INTO things (v) VALUES ('x'); FLUSH LOGS;", spec.database);
    const [file = '', offset = ''] = dumped.split(':');
    const { bytes } = await taken(dumped);
    await expect(apply(`other.000001:${offset}`, bytes)).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringMatching(/another log/),
    });
    for (const [position, why] of [
      ['', /does not tell where/],
      ['../../etc/passwd:4', /does not tell where/],
      [`${file}:${Number(offset) + 1}`, /could not be read|cut off|too short|longer/],
      ['changes.999999:4', /does not go back so far|begun anew/],
      ['elsewhere.000001:4', /does not go back so far|begun anew/],
    ] as const) {
      const refused = { code: 'failed_precondition', message: expect.stringMatching(why) };
      await expect(taken(position)).rejects.toMatchObject(refused);
    }
    await old.sql('FLUSH LOGS; PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY;');
    await expect(taken(dumped)).rejects.toMatchObject({ code: 'failed_precondition' });
    const [begun = ''] = await old.sql('SHOW MASTER STATUS;');
    await old.sql('RESET MASTER;');
    await expect(taken(begun.split('\t').slice(0, 2).join(':'))).rejects.toMatchObject({ code: 'failed_precondition' });
  });

  const passed: readonly (readonly [sql: string, database: string | undefined, why: RegExp])[] = [
    ['ALTER TABLE DB.things ADD w INT;', 'mysql', /its tables were changed/],
    ['ALTER TABLE things ADD w TIMESTAMP DEFAULT NOW();', undefined, /its tables were changed/],
    ['CREATE TABLE made AS SELECT * FROM things;', undefined, /its tables were changed/],
    ['SET binlog_alter_two_phase = 1; ALTER TABLE things ADD w INT;', undefined, /its tables were changed/],
    ["SET binlog_format = 'STATEMENT'; INSERT INTO things (v) VALUES (UUID());", undefined, /its tables were changed/],
    ["XA START 'a'; INSERT INTO things (v) VALUES ('x'); XA END 'a'; XA PREPARE 'a'; XA COMMIT 'a';", undefined, /XA/],
  ];
  for (const [some, options] of rows(passed, 2))
    it.each(some)('past %j', options, async (sql, database, why) => {
      const dumped = await copy();
      await old.sql(sql.replaceAll('DB', spec.database), database ?? spec.database);
      await expect(taken(dumped)).rejects.toMatchObject({
        code: 'failed_precondition',
        message: expect.stringMatching(why),
      });
    });

  it('by a server that sends as a table to empty what is none', async () => {
    const dumped = await copy();
    for (const table of ['../things', 'a.b', 'x` ; DROP DATABASE mysql; -- ', 'no_such_table']) {
      const frames: Frame[] = [
        { kind: 'begin', at: dumped },
        { kind: 'truncate', table },
        { kind: 'commit', at: dumped },
        { kind: 'end', at: dumped },
      ];
      const failed = apply(dumped, Buffer.concat([HEAD, ...frames.map(encodeFrame)]));
      await expect(failed, table).rejects.toMatchObject({
        code: expect.stringMatching(/^(permission_denied|failed_precondition)$/),
      });
      expect(await sum(fresh), table).toEqual(await sum(old));
    }
  });

  it('a server lives through rows that somebody bent, as far as they are taken at all', {
    tags: ['deep'],
    timeout: 300_000,
  }, async () => {
    await old.sql(MARIADB_DUMPS.rich.split('DELIMITER')[0] ?? '', spec.database);
    const dumped = await copy();
    await old.sql(
      "SET sql_mode = ''; UPDATE kinds SET n = 3, f = 0.1; INSERT INTO child VALUES (6, 1); UPDATE parted SET v = 9; UPDATE history SET v = 9; UPDATE parent SET v = 12; DELETE FROM kinds;",
      spec.database,
    );
    const rows: Buffer[] = [];
    for await (const frame of decodeFrames(inPieces((await taken(dumped)).bytes))) {
      if (frame.kind === 'rows') rows.push(frame.events);
    }
    let seed = 1;
    const below = (most: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      return seed % most;
    };
    const statements: string[] = [];
    for (let nth = 0; nth < 20_000; nth++) {
      const bent = Buffer.from(rows[nth % rows.length] as Buffer);
      for (let times = 1 + below(4); times > 0; times--) bent[19 + below(bent.length - 19)] = below(256);
      try {
        const replay = createReplay(spec.database);
        statements.push(...replay.add(bent), ...replay.rest());
      } catch (thrown) {
        expect((thrown as AegirError).code).toMatch(/^(permission_denied|failed_precondition)$/);
      }
    }
    expect(statements.length).toBeGreaterThan(100);
    const [up = ''] = await fresh.sql("SHOW STATUS LIKE 'Uptime';");
    // Each may fail; the server may not.
    await fresh.host.run({
      argv: [
        'mariadb',
        '--no-defaults',
        '--batch',
        '--force',
        `--socket=${fresh.daemon.socket}`,
        `--user=${fresh.daemon.user}`,
      ],
      input: FORMAT + statements.join(''),
      timeoutMs: 120_000,
    });
    const [later = ''] = await fresh.sql("SHOW STATUS LIKE 'Uptime';");
    const seconds = (line: string) => Number(line.split('\t')[1]);
    expect(seconds(later)).toBeGreaterThanOrEqual(seconds(up));
    expect(seconds(up)).toBeGreaterThan(0);
  });

  it('by a server that passes over what does not fit', { tags: ['deep'] }, async () => {
    const dumped = await copy();
    const { bytes } = await taken(dumped);
    await fresh.sql("SET GLOBAL slave_exec_mode = 'IDEMPOTENT';");
    try {
      await expect(apply(dumped, bytes)).rejects.toMatchObject({ code: 'failed_precondition' });
    } finally {
      await fresh.sql("SET GLOBAL slave_exec_mode = 'STRICT';");
    }
  });

  it('where a transaction was prepared before the copy, whoever ends it', async () => {
    await old.sql(
      "XA START 'a'; INSERT INTO things (v) VALUES ('prepared'); XA END 'a'; XA PREPARE 'a';",
      spec.database,
    );
    try {
      await expect(engine.endOfChanges(service, spec, old.ctx)).rejects.toThrow(/XA RECOVER/);
      const dumped = await copy();
      await old.sql("XA COMMIT 'a';", 'information_schema');
      await expect(taken(dumped)).rejects.toThrow(/two phases/);
    } finally {
      await old.sql("XA ROLLBACK 'a';").catch(() => {});
    }
  });

  it('where changed rows would be looked for among very many', async () => {
    await old.sql(
      'CREATE TABLE keyless (a INT); INSERT INTO keyless SELECT seq FROM seq_1_to_30000; ANALYZE TABLE keyless;',
      spec.database,
    );
    await expect(engine.endOfChanges(service, spec, old.ctx)).rejects.toThrow(
      /1 of its tables have more than 10000 rows/,
    );
  });

  it('a database is dumped where an event of the log is longer than a packet', { tags: ['deep'] }, async () => {
    await old.configure(`${LOG}max_allowed_packet = 1M\n`);
    try {
      await old.sql('CREATE TABLE big (id INT PRIMARY KEY, a MEDIUMTEXT, b MEDIUMTEXT);', spec.database);
      await old.sql("INSERT INTO big VALUES (1, REPEAT('x', 900000), REPEAT('y', 900000));", spec.database);
      expect(await copy()).toBe('');
      expect(await sum(fresh)).toEqual(await sum(old));
      // Where nothing follows from the dump, nobody asks for its place, and nobody is told that there is none.
      const said: string[] = [];
      const ctx = { ...old.ctx, log: (_: string, text: string) => void said.push(text) };
      for await (const _ of engine.dump(service, spec, ctx));
      expect(said.join()).not.toMatch(/where its binary log is/);
      for await (const _ of engine.dump(service, spec, ctx, () => {}));
      expect(said.join()).toMatch(/does not tell where its binary log is/);
    } finally {
      await old.configure(LOG);
    }
  });
});

it('a restore where a binary log lets nobody make triggers is refused before anything is lost', async () => {
  await old.sql('CREATE TRIGGER t BEFORE INSERT ON things FOR EACH ROW SET NEW.v = NEW.v;', spec.database);
  const chunks: Uint8Array[] = [];
  for await (const chunk of engine.dump(service, spec, old.ctx)) chunks.push(chunk);
  async function* dump(): AsyncGenerator<Uint8Array> {
    yield* chunks;
  }
  const before = await sum(old);
  await expect(engine.restore(service, spec, dump(), old.ctx)).rejects.toMatchObject({
    code: 'failed_precondition',
    untouched: true,
    message: expect.stringMatching(/set log_bin_trust_function_creators = ON/),
  });
  expect(await sum(old)).toEqual(before);
  await engine.restore(service, spec, dump(), fresh.ctx);
  expect(await sum(fresh)).toEqual(before);
});
