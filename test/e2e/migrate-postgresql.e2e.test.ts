// A site on PostgreSQL moves to another web server and another database while somebody writes: what is written meanwhile
// follows by logical replication, nothing of it is lost or doubled, and nothing is left. Then tables are changed meanwhile,
// which does not travel that way: a last copy is made, and again nothing is lost.
// @module-tag deep
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EmbeddedServer, until } from '../../deploy/up/processes.ts';
import {
  PlatformServiceService,
  ServerServiceService,
  ServiceServiceService,
  type Site,
  SiteServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import { BackupServiceService } from '../../shared/gen/aegir/v1/backup_admin.ts';
import type { Event } from '../../shared/gen/aegir/v1/event.ts';
import { MoveServiceService } from '../../shared/gen/aegir/v1/move_admin.ts';
import { freePorts } from './free-ports.ts';
import { createMachine, finish, type Machine } from './machine.ts';
import { installSite, SITE } from './site-tasks.ts';

const PAGE = `<?php
$db = new PDO('pgsql:host=' . AEGIR_DB_HOST . ';port=' . AEGIR_DB_PORT . ';dbname=' . AEGIR_DB_NAME, AEGIR_DB_USER, AEGIR_DB_PASSWORD);
$db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
if (isset($_GET['sql'])) $db->exec($_GET['sql']);
if (isset($_GET['add'])) {
  $db->beginTransaction();
  $db->prepare('INSERT INTO words (word) VALUES (?)')->execute([$_GET['add']]);
  $db->exec('UPDATE tally SET n = n + 1');
  $db->commit();
}
echo 'written';
`;
const TABLES =
  'CREATE TABLE words (id SERIAL PRIMARY KEY, word TEXT); CREATE TABLE tally (n INT); INSERT INTO tally VALUES (0)';
const WEB1 = '127.0.1.1';
const WEB2 = '127.0.1.3';
const LOGICAL = 'wal_level = logical\nmax_wal_senders = 4\n';
const never = new AbortController().signal;
const options = undefined;
let machine: Machine;
let port = 0;
let siteId = '';

const link = () => machine.connection();
const site = (): Promise<Site> => link().call(SiteServiceService.getSite, { site: SITE });

/** Where its PostgreSQL listens. */
const POSTGRES = new Map<string, number>();
async function startServer(server: Omit<EmbeddedServer, 'ports'>, nginx: number): Promise<void> {
  const [postgresql = 0] = await freePorts(1, '127.0.0.1');
  POSTGRES.set(server.name, postgresql);
  const etc = join(machine.layout.dir, server.name, 'host/etc/postgresql-15-main/conf.d');
  mkdirSync(etc, { recursive: true, mode: 0o755 });
  for (let dir = etc; dir !== join(machine.layout.dir, server.name); dir = join(dir, '..')) chmodSync(dir, 0o755);
  writeFileSync(join(etc, 'logical.conf'), LOGICAL, { mode: 0o644 });
  await machine.startServer({ ...server, ports: { nginx, postgresql } });
}

/** Asks the server past Aegir. */
function sql(server: string, statement: string, database = `site_${siteId.slice(5)}`): readonly string[] {
  const place = `host=${join(machine.layout.dir, server, 'host/run')} port=${POSTGRES.get(server)} dbname=${database} user=www-data`;
  const asked = ['/usr/lib/postgresql/15/bin/psql', '-XAtq', '-d', place, '-c', statement] as const;
  const argv =
    process.getuid?.() === 0 ? (['setpriv', '--reuid=www-data', '--clear-groups', ...asked] as const) : asked;
  const [program, ...args] = argv;
  return execFileSync(program, [...args], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean);
}

beforeAll(async () => {
  machine = await createMachine();
  port = machine.layout.ports.web1.nginx;
  await machine.start('master');
  await machine.start('web1');
  // Under an address of its own each, which the other one is told.
  await startServer({ name: 'pg1', address: '127.0.1.4', daemons: ['postgresql@15-main'], types: ['db'] }, 1);
  await startServer(
    { name: 'web2', address: WEB2, daemons: ['nginx', 'php-fpm', 'postgresql@15-main'], types: ['http', 'db', 'file'] },
    port,
  );
  await until('the servers to be there', undefined, never, async () => {
    const { servers } = await link().call(ServerServiceService.listServers, { pageSize: 0, pageToken: '' });
    const { services } = await link().call(ServiceServiceService.listServices, {
      ...{ pageSize: 0, pageToken: '', server: '', type: '' },
    });
    return (
      ['web1', 'pg1', 'web2'].every((name) => servers.some((each) => each.name === name && each.connected)) &&
      ['web1/nginx', 'web2/nginx', 'pg1/postgresql', 'web2/postgresql', 'web2/mesh'].every((name) =>
        services.some((service) => service.name.startsWith(name) && service.state === 'enabled'),
      )
    );
  });
  const code = join(machine.layout.dir, 'code');
  mkdirSync(code);
  chmodSync(code, 0o755);
  writeFileSync(join(code, 'index.php'), PAGE, { mode: 0o644 });
  for (const [name, service] of [
    ['php', 'web1/nginx'],
    ['php2', 'web2/nginx'],
  ] as const) {
    const added = await link().call(PlatformServiceService.addPlatform, {
      name,
      root: code,
      service,
      app: 'php',
      options,
    });
    expect((await finish(machine, added.taskId)).task).toMatchObject({ state: 'succeeded' });
  }
  const installed = await installSite(machine, SITE, [], 'php', await serviceOf('pg1'));
  siteId = installed.subjectId;
  const { task } = await finish(machine, installed.taskId);
  expect([task.state, task.reason]).toEqual(['succeeded', '']);
  expect(await ask(WEB1, { sql: TABLES })).toBe('written');
});
afterAll(() => machine?.close());

async function serviceOf(server: string): Promise<string> {
  const { services } = await link().call(ServiceServiceService.listServices, {
    ...{ pageSize: 0, pageToken: '', server, type: 'db' },
  });
  return services.find(({ engine }) => engine === 'postgresql')?.name ?? '';
}

function ask(address: string, query: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve, reject) => {
    const path = `/?${new URLSearchParams(query)}`;
    const asked = request(
      { ...{ host: address, port, path, agent: false, timeout: 90_000 }, headers: { host: `${SITE}:${port}` } },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          body += part;
        });
        response
          .on('error', reject)
          .on('end', () => resolve(response.statusCode === 200 ? body : `${response.statusCode}`));
      },
    );
    asked
      .on('timeout', () => asked.destroy(new Error('no answer in 90 s')))
      .on('error', reject)
      .end();
  });
}

/** One visitor after the other writes: at the old address until its DNS answer has ended, then at the new one. */
function writer(from: string, to: string, platform: string) {
  let address = from;
  let isOver = false;
  const following = (async () => {
    while (!isOver && (await site()).platform !== platform) await new Promise((resolve) => setTimeout(resolve, 200));
    await new Promise((resolve) => setTimeout(resolve, 2000));
    address = to;
  })();
  const written: string[] = [];
  const failures: string[] = [];
  let longest = 0;
  const writing = (async () => {
    for (let n = 0; !isOver; n++) {
      const word = `word-${Date.now()}-${n}`;
      const began = performance.now();
      const answer = await ask(address, { add: word }).catch((cause: Error) => cause.message);
      longest = Math.max(longest, performance.now() - began);
      if (answer === 'written') written.push(word);
      else failures.push(`${address}: ${answer}`);
    }
  })();
  return {
    written,
    failures,
    longest: () => Math.round(longest),
    async stop() {
      isOver = true;
      await Promise.all([writing, following]);
    },
  };
}

function logged(events: readonly Event[]): string {
  return events.flatMap(({ body }) => (body?.$case === 'log' ? [body.value.text] : [])).join('\n');
}

/** What its task logged. */
async function migrate(server: string, platform: string, db: string, backup = ''): Promise<string> {
  const { taskId } = await link().call(MoveServiceService.migrateSite, {
    ...{ site: SITE, server, platform, db, maxHoldMillis: 0, pastHold: '', quietSeconds: 1, rounds: 2 },
    ...{ skipLead: true, backup, noBackup: false, noFollow: false, noDnsWait: false, options },
  });
  const { task, events } = await finish(machine, taskId);
  if (task.state !== 'succeeded') console.log(logged(events));
  expect([task.state, task.reason]).toEqual(['succeeded', '']);
  return logged(events);
}

function nothingIsLeft(server: string): void {
  expect(sql(server, 'SELECT slot_name FROM pg_replication_slots', 'postgres')).toEqual([]);
  expect(sql(server, "SELECT rolname FROM pg_roles WHERE rolname ~ '^[sdf]_[0-9a-z]{16}$'", 'postgres')).toEqual([]);
  expect(sql(server, "SELECT datname FROM pg_database WHERE datname ~ '^site_'", 'postgres')).toEqual([]);
}

test('moves while somebody writes: its database is followed, and nothing written is lost or doubled', async () => {
  const load = writer(WEB1, WEB2, 'php2');
  let story = '';
  try {
    await until('somebody to have written', undefined, never, async () => load.written.length > 3);
    story = await migrate('web2', 'php2', await serviceOf('web2'));
  } finally {
    await load.stop();
  }
  expect(story).toMatch(/database site_[0-9a-z]{16} follows 127\.0\.1\.4 by slot f_/);
  expect(story).not.toMatch(/visitors wait for a last copy/);
  expect((await site()).platform).toBe('php2');
  expect(sql('web2', 'SELECT word FROM words ORDER BY id')).toEqual(load.written);
  expect(sql('web2', 'SELECT n FROM tally')).toEqual([`${load.written.length}`]);
  expect(load.failures).toEqual([]);
  console.log(`${load.written.length} words written, the longest request took ${load.longest()} ms`);
  nothingIsLeft('pg1');
  expect(
    sql(
      'web2',
      "SELECT evtname FROM pg_event_trigger UNION ALL SELECT nspname FROM pg_namespace WHERE nspname ~ '^f_'",
    ),
  ).toEqual([]);
});

test('and back, kept in a backup, with a table that is made meanwhile: a last copy is made, nothing is lost either', async () => {
  const before = sql('web2', 'SELECT word FROM words');
  const load = writer(WEB2, WEB1, 'php');
  let story = '';
  try {
    const moving = migrate('web1', 'php', await serviceOf('pg1'), 'web2/mesh');
    await until('the copy to have begun', undefined, never, async () => {
      const slots = sql('web2', 'SELECT slot_name FROM pg_replication_slots', 'postgres');
      return slots.length > 0;
    });
    expect(await ask(WEB2, { sql: 'CREATE TABLE later AS SELECT 7 AS n' })).toBe('written');
    story = await moving;
  } finally {
    await load.stop();
  }
  expect(story).toMatch(/visitors wait for a last copy of it: .*tables were changed since it was copied/);
  expect(sql('pg1', 'SELECT n FROM later')).toEqual(['7']);
  expect(sql('pg1', 'SELECT word FROM words ORDER BY id')).toEqual([...before, ...load.written]);
  expect(load.failures).toEqual([]);
  nothingIsLeft('web2');
  const { backups } = await link().call(BackupServiceService.listBackups, {
    ...{ pageSize: 0, pageToken: '', site: SITE, service: '' },
  });
  expect(backups.map(({ state, reason, service }) => [state, reason, service])).toEqual([
    ['ready', 'migrate', 'web2/mesh'],
  ]);
});
