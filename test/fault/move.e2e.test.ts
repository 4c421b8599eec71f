// Row 2 of moves: master and agents die by SIGKILL at boundaries of a live migration. Each run ends with the site moved or
// back where it was, on one web server and in one database, with all that visitors had written, and nothing left over.
// Boundaries are found by watching a run. All of them take an hour: by default those around the hold, where both places have
// the site; AEGIR_FAULT=all takes every one.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { type EmbeddedServer, until } from '../../deploy/up/processes.ts';
import {
  type ChangeResponse,
  PlatformServiceService,
  ServiceServiceService,
  type Site,
  SiteServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import { MoveServiceService } from '../../shared/gen/aegir/v1/move_admin.ts';
import { freePorts } from '../e2e/free-ports.ts';
import { addWordpress, createMachine, finish, type Machine, type ProcessName } from '../e2e/machine.ts';
import { installSite, SITE } from '../e2e/site-tasks.ts';
import { sql } from '../e2e/sql.ts';
import { boundariesOf, setTrap, watched } from './boundaries.ts';

const PROCESSES: readonly ProcessName[] = ['master', 'web1', 'web2', 'db1'];
const never = new AbortController().signal;
const options = undefined;
const ALL = process.env['AEGIR_FAULT'] === 'all';
const AROUND_THE_HOLD =
  /:(gate\.(hold|forward|close)|db\.freeze|site\.place|set-gate|apply-(http|db)|restore-(files|database))/;
/** Of those, where not all are taken: so many of each process, about. */
const MOST = 2;

let machine: Machine;
let siteId = '';
let web2: EmbeddedServer;
const link = () => machine.connection();
const site = (): Promise<Site> => link().call(SiteServiceService.getSite, { site: SITE });

beforeAll(async () => {
  machine = await createMachine();
  const { dir } = machine.layout;
  for (const name of ['master', 'web1', 'db1']) await machine.start(name, watched(dir, name));
  await machine.ready();
  const [mariadb = 0] = await freePorts(1, '127.0.0.1');
  web2 = {
    ...{ name: 'web2', address: '127.0.1.3', daemons: ['nginx', 'php-fpm', 'mariadb'], types: ['http', 'db', 'dns'] },
    ports: { nginx: machine.layout.ports.web1.nginx, mariadb },
  };
  await machine.startServer(web2, watched(dir, 'web2'));
  await until('the second web server to be there', undefined, never, async () => {
    const { services } = await link().call(ServiceServiceService.listServices, {
      ...{ pageSize: 0, pageToken: '', server: 'web2', type: '' },
    });
    return ['web2/nginx', 'web2/mariadb'].every((name) =>
      services.some((service) => service.name === name && service.state === 'enabled'),
    );
  });
  await addWordpress(machine);
  const added = await link().call(PlatformServiceService.addPlatform, {
    ...{ name: 'wordpress2', root: '/usr/share/wordpress', service: 'web2/nginx', app: '', options },
  });
  await finish(machine, added.taskId);
  const installed = await installSite(machine);
  siteId = installed.subjectId;
  expect((await finish(machine, installed.taskId)).task.state).toBe('succeeded');
  sql(machine, `CREATE TABLE ${database()}.visits (n INT PRIMARY KEY)`);
}, 240_000);
afterAll(() => machine?.close());

const database = () => `site_${siteId.slice('site-'.length)}`;
const isAtWeb2 = async () => (await site()).platform === 'wordpress2';

function move(toWeb2: boolean): Promise<ChangeResponse> {
  const to = toWeb2
    ? { server: 'web2', platform: 'wordpress2', db: 'web2/mariadb' }
    : { server: 'web1', platform: 'wordpress', db: 'db1/mariadb' };
  return link().call(MoveServiceService.migrateSite, {
    ...{ site: SITE, ...to, maxHoldMillis: 0, pastHold: '', quietSeconds: 1, rounds: 1, skipLead: true, options },
  });
}

let written = 0;
function write(at: 'db1' | 'web2'): void {
  written += 1;
  sql(machine, `INSERT INTO ${database()}.visits VALUES (${written})`, at);
}

/** One site, whole, at one place; nothing of it at the other. */
async function expectOnePlace(): Promise<void> {
  const there = await isAtWeb2();
  const [web, db, oldWeb, oldDb] = there ? ['web2', 'web2', 'web1', 'db1'] : ['web1', 'db1', 'web2', 'web2'];
  const host = (server: string, ...path: string[]) => join(machine.layout.dir, server, 'host', ...path);
  expect((await site()).state).toBe('enabled');
  expect(existsSync(host(oldWeb as string, 'sites', siteId))).toBe(false);
  const hosts = (server: string) =>
    readdirSync(host(server, 'etc/nginx/conf.d')).filter((name) => name.includes(siteId.slice(-8)));
  expect(hosts(oldWeb as string)).toEqual([]);
  expect(hosts(web as string)).toHaveLength(1);
  expect(sql(machine, 'SHOW DATABASES', oldDb)).not.toContain(database());
  expect(sql(machine, `SELECT user FROM mysql.user WHERE user LIKE '%${siteId.slice(-16)}%'`, oldDb)).toEqual([]);
  expect(sql(machine, `SELECT COUNT(*) FROM ${database()}.visits`, db)).toEqual([String(written)]);
  const browser = createBrowser(there ? '127.0.1.3' : '127.0.1.1');
  const home = await browser.get(`http://${SITE}:${machine.layout.ports.web1.nginx}/`);
  expect([home.status, home.body.includes('<title>Fault')]).toEqual([200, true]);
  for (const server of ['web1', 'web2', 'db1']) {
    const snapshots = host(server, 'work/snapshots');
    if (existsSync(snapshots)) expect([server, readdirSync(snapshots)]).toEqual([server, []]);
  }
}

async function restart(name: ProcessName): Promise<void> {
  const env = watched(machine.layout.dir, name);
  if (name === 'web2') await machine.startServer(web2, env);
  else await machine.start(name, env);
}

test('killed at boundaries of moves, a site ends at one place, whole', async () => {
  const boundaries = new Map<ProcessName, readonly string[]>();
  for (const toWeb2 of [true, false]) {
    write(toWeb2 ? 'db1' : 'web2');
    const found = await boundariesOf(machine, PROCESSES, async () => {
      const { task } = await finish(machine, (await move(toWeb2)).taskId);
      expect([task.state, task.reason]).toEqual(['succeeded', '']);
    });
    await expectOnePlace();
    if (toWeb2) for (const [name, all] of found) boundaries.set(name, all);
  }
  const chosen = [...boundaries].flatMap(([name, all]) => {
    if (ALL) return all.map((boundary) => ({ name, boundary }));
    const near = all.filter((boundary) => AROUND_THE_HOLD.test(boundary));
    const step = Math.max(1, Math.ceil(near.length / MOST));
    return near.filter((_, index) => index % step === 0).map((boundary) => ({ name, boundary }));
  });
  expect(new Set(chosen.map(({ name }) => name))).toEqual(new Set(PROCESSES));
  const ends = { moved: 0, back: 0 };
  const failures: string[] = [];
  for (const { name, boundary } of chosen) {
    // Boundaries are those of the way there: the way back is made in peace.
    if (await isAtWeb2()) {
      const { task } = await finish(machine, (await move(false)).taskId);
      expect([task.state, task.reason]).toEqual(['succeeded', '']);
    }
    write('db1');
    setTrap(machine, name, boundary);
    const { taskId } = await move(true);
    const victim = machine.process(name);
    // It loses its connection when the master dies.
    const ended = finish(machine, taskId).catch(() => undefined);
    const died = await Promise.race([victim.ended.then(() => true), ended.then((done) => done === undefined)]);
    if (died) await restart(name);
    const { task } = await finish(machine, taskId);
    try {
      if (!died) throw new Error('it never came to that');
      expect(['succeeded', 'failed']).toContain(task.state);
      await expectOnePlace();
      ends[(await isAtWeb2()) ? 'moved' : 'back'] += 1;
    } catch (error) {
      failures.push(
        `${name} at ${boundary}: ${task.state} ${task.reason}: ${error instanceof Error ? error.message : String(error)}`,
      );
      if (failures.length > 3) break;
    }
  }
  console.log(`${chosen.length} moves killed: ${ends.moved} went through, ${ends.back} went back`);
  expect(failures).toEqual([]);
}, 3_600_000);
