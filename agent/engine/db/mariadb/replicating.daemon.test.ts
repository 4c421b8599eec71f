// A database that follows another one, between two real servers: nothing is lost or doubled of what is written meanwhile,
// nothing of others comes along, and nothing is left.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseName, databaseUser } from '../../../../shared/database-name.ts';
import type { DbSpec, ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import { createEmbeddedHost } from '../../../host/embedded/host.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import { waitUntil } from '../../../host/wait.ts';
import { contextOf } from '../../conformance/interruption.ts';
import { type ActionContext, type DumpFacts, runChanges } from '../../engine.ts';
import { createMariadbEngine } from './engine.ts';

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
const PASSWORD = 'secret-of-the-follower-0123456789';
// Connections to any loopback address come from there.
const FOLLOWER = { addresses: ['127.0.0.1'], password: PASSWORD };
const LOG = 'log-bin = changes\nbinlog_format = ROW\nserver-id = 71\n';
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

const apply = async ({ ctx }: Server, wanted: DbSpec) => runChanges(await engine.plan(service, wanted, ctx), ctx);
const open = (preview = false) => engine.openReplica(service, spec, FOLLOWER, preview, old.ctx);
const leader = () => ({ address: old.daemon.addresses[0] ?? '', port: old.daemon.port, password: PASSWORD });
const follow = (verb: 'start' | 'status' | 'stop', position = '', to = leader()) =>
  engine.follow(service, spec, to, verb, position, fresh.ctx);
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
  }, 30_000);
  expect(come, JSON.stringify(last)).toBe(true);
};
const sum = ({ sql }: Server) => sql('CHECKSUM TABLE things EXTENDED; SELECT COUNT(*) FROM things;', spec.database);

/** All that following may leave. */
async function traces(): Promise<readonly string[]> {
  const said = await fresh.sql('SHOW ALL SLAVES STATUS; SELECT @@gtid_slave_pos; SELECT * FROM gtid_slave_pos;');
  const accounts = await old.sql("SELECT user FROM global_priv WHERE user LIKE 'f\\_%';");
  const files = (await fresh.host.files.list(fresh.daemon.includeDir)).filter((name) => name.startsWith('aegir-'));
  return [...said.filter((line) => line.trim() !== ''), ...accounts, ...files];
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
  await follow('stop');
  for (const server of [old, fresh]) {
    for (const each of [spec, other]) {
      await runChanges(await engine.remove(service, each.siteId, undefined, server.ctx), server.ctx);
    }
    await apply(server, spec);
  }
  await apply(old, other);
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
    await open();
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
      }
    })();
    const position = await copy();
    expect(position).toMatch(/^changes\.[0-9]{6}:[0-9]+$/);
    await follow('start', position);
    await follow('start', position);
    // What others do on the old server stays there.
    await old.sql(
      `CREATE DATABASE elsewhere; CREATE USER somebody; GRANT SELECT ON *.* TO somebody; CREATE PROCEDURE elsewhere.p() SELECT 1;
CREATE TABLE later (id INT PRIMARY KEY); INSERT INTO later VALUES (1); DROP TABLE later;`,
      other.database,
    );
    await old.sql(
      'CREATE TABLE later (id INT PRIMARY KEY); INSERT INTO later VALUES (1); ALTER TABLE things ADD w INT DEFAULT 5;',
      spec.database,
    );
    await waitUntil(async () => Number((await sum(old))[1]) > 40, 20_000);
    isOver = true;
    await writing;
    await caughtUp();
    expect(await sum(fresh)).toEqual(await sum(old));
    expect(await fresh.sql('SELECT * FROM later;', spec.database)).toEqual(['1']);
    expect(await fresh.sql('SHOW DATABASES;')).not.toContain('elsewhere');
    expect(await fresh.sql('SHOW DATABASES;')).not.toContain(other.database);
    expect(await fresh.sql('SELECT user FROM user;')).not.toContain('somebody');
    await follow('stop');
    await follow('stop');
    await engine.closeReplica(service, spec, old.ctx);
    await engine.closeReplica(service, spec, old.ctx);
    expect(await traces()).toEqual(before);
    expect(await engine.plan(service, spec, fresh.ctx)).toEqual([]);
    await old.sql('DROP DATABASE elsewhere; DROP USER somebody;');
  });

  it('goes on, and takes nothing of others, when either server was restarted', async () => {
    await open();
    await follow('start', await copy());
    await fresh.daemon.restart();
    await old.sql("INSERT INTO things (v) VALUES ('while it was away');", spec.database);
    await old.sql("INSERT INTO things (v) VALUES ('theirs'); CREATE PROCEDURE theirs() SELECT 1;", other.database);
    await old.daemon.restart();
    await old.sql("INSERT INTO things (v) VALUES ('after');", spec.database);
    await follow('start', '');
    await caughtUp();
    expect(await sum(fresh)).toEqual(await sum(old));
    expect(await fresh.sql('SHOW DATABASES;')).not.toContain(other.database);
    await follow('stop');
  });

  it('is begun again after a death anywhere in it', async () => {
    await open();
    const position = await copy();
    for (const point of ['agent.db.filters-written', 'agent.db.leader-set']) {
      const failpoint = (name: string): void => {
        if (name === point) throw new Error(`died at ${name}`);
      };
      const dying = engine.follow(service, spec, leader(), 'start', position, { ...fresh.ctx, failpoint });
      await expect(dying).rejects.toThrow(point);
      await fresh.daemon.restart();
    }
    await follow('start', position);
    await old.sql("INSERT INTO things (v) VALUES ('x');", spec.database);
    await caughtUp();
    expect(await sum(fresh)).toEqual(await sum(old));
    const failpoint = (name: string): void => {
      if (name === 'agent.db.leader-forgotten') throw new Error(`died at ${name}`);
    };
    await expect(engine.follow(service, spec, leader(), 'stop', '', { ...fresh.ctx, failpoint })).rejects.toThrow(
      'died',
    );
    await follow('stop');
    await engine.closeReplica(service, spec, old.ctx);
    expect(await traces()).toEqual([]);
  });

  it('is gone with its site, on both sides', async () => {
    await open();
    await follow('start', await copy());
    for (const { ctx } of [fresh, old]) {
      await runChanges(await engine.remove(service, spec.siteId, spec, ctx), ctx);
      expect(await engine.remove(service, spec.siteId, spec, ctx)).toEqual([]);
    }
    expect(await traces()).toEqual([]);
  });

  it('says what stopped it, without what was in it', async () => {
    await open();
    await follow('start', await copy());
    await caughtUp();
    await fresh.sql("INSERT INTO things (v) VALUES ('secret-of-mine');", spec.database);
    await old.sql("INSERT INTO things (v) VALUES ('secret-of-mine');", spec.database);
    await waitUntil(async () => !(await follow('status')).running, 20_000);
    const status = await follow('status');
    expect(status).toMatchObject({ running: false, error: expect.stringMatching(/does not fit here \(error 1062\)/) });
    expect(JSON.stringify(status)).not.toContain('secret-of-mine');
    await follow('stop');
  });
});

describe('it cannot be followed', () => {
  it.each([
    ['', /keeps no binary log; set log_bin/],
    ['log-bin = changes\nserver-id = 71\nbinlog_format = MIXED\n', /binlog_format MIXED/],
    ['log-bin = changes\nbinlog_format = ROW\n', /its server_id is 1/],
    [`${LOG}binlog_ignore_db = shop\n`, /leaves out databases/],
  ])('from a server that is configured with %j, and is told so', async (lines, why) => {
    await old.configure(lines);
    try {
      for (const preview of [true, false]) {
        await expect(open(preview)).rejects.toMatchObject({
          code: 'failed_precondition',
          message: expect.stringMatching(why),
        });
      }
      expect(await old.sql("SELECT user FROM global_priv WHERE user LIKE 'f\\_%';")).toEqual([]);
    } finally {
      await old.configure(LOG);
    }
  });

  it.each([
    ['CREATE TABLE plain (a INT) ENGINE=MyISAM;', /1 of its tables know no transactions/],
    ['CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM things;', /1 of its events would run on both/],
  ])('with %j in it', async (sql, why) => {
    await old.sql(sql, spec.database);
    await expect(open(true)).rejects.toMatchObject({ message: expect.stringMatching(why) });
  });

  it('by a server with the same server_id, with a wrong password, from no position, and where nobody listens', async () => {
    await open();
    const position = await copy();
    await expect(follow('start', '')).rejects.toMatchObject({ code: 'failed_precondition' });
    await expect(follow('start', position, { ...leader(), password: 'wrong' })).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringMatching(/does not let this server in/),
    });
    await expect(follow('start', position, { ...leader(), port: 1 })).rejects.toMatchObject({ code: 'unavailable' });
    await fresh.configure('server-id = 71\n');
    try {
      await expect(follow('start', position)).rejects.toThrow(/both servers have the server_id 71/);
    } finally {
      await fresh.configure('');
    }
    expect(await fresh.sql('SHOW ALL SLAVES STATUS;')).toEqual([]);
  });

  it('and a preview changes nothing', async () => {
    const { position } = await open(true);
    expect(position).toMatch(/^changes\.[0-9]{6}:[0-9]+$/);
    expect(await traces()).toEqual([]);
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
