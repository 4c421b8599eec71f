// A machine with two web servers and two databases, whose processes can be struck while a site moves between them, and what
// must be true of it afterwards.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
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
import {
  addPlatform,
  createMachine,
  type Finished,
  finish,
  type Machine,
  type ProcessName,
  taskIds,
} from '../e2e/machine.ts';
import { installSite, newTask, SITE } from '../e2e/site-tasks.ts';
import { sql } from '../e2e/sql.ts';
import { boundariesOf, pausedAt, resume, setTrap, watched } from './boundaries.ts';
import { bothWritable, startWriters, WORDS_TABLE, writableCode } from './writers.ts';

export const PROCESSES: readonly ProcessName[] = ['master', 'web1', 'web2', 'db1'];
const WEB1 = '127.0.1.1';
const WEB2 = '127.0.1.3';
const never = new AbortController().signal;
const options = undefined;

/** What befalls a process when it comes to a boundary; mesh: the mesh node dies while the process stands there. */
export interface Strike {
  readonly what: 'kill' | 'mesh';
  readonly name: ProcessName;
  readonly boundary: string;
}

export type End = 'moved' | 'back';

export interface MoveRig {
  isAtWeb2(): Promise<boolean>;
  /** Boundaries of a move to web2, by process. */
  readonly boundaries: ReadonlyMap<ProcessName, readonly string[]>;
  /** Moves it in peace. */
  move(toWeb2: boolean): Promise<void>;
  /** Moves it to the other place under visitors who write, and a blow; throws when it does not end whole at one place. */
  struck(strike: Strike): Promise<End>;
  close(): Promise<void>;
}

export async function createMoveRig(): Promise<MoveRig> {
  const machine = await createMachine();
  try {
    return await prepare(machine);
  } catch (error) {
    await machine.close().catch(() => {});
    throw error;
  }
}

async function prepare(machine: Machine): Promise<MoveRig> {
  const { dir } = machine.layout;
  const { nginx } = machine.layout.ports.web1;
  const link = () => machine.connection();
  const site = (): Promise<Site> => link().call(SiteServiceService.getSite, { site: SITE });
  const isAtWeb2 = async () => (await site()).platform === 'code2';
  const [mariadb = 0] = await freePorts(1, '127.0.0.1');
  const web2: EmbeddedServer = {
    ...{ name: 'web2', address: WEB2, daemons: ['nginx', 'php-fpm', 'mariadb'], types: ['http', 'db', 'dns'] },
    ports: { nginx, mariadb },
  };
  const start = (name: ProcessName) =>
    name === 'web2' ? machine.startServer(web2, watched(dir, name)) : machine.start(name, watched(dir, name));
  for (const name of ['master', 'web1', 'db1', 'web2']) await start(name);
  await machine.ready();
  await until('the second web server to be there', undefined, never, async () => {
    const { services } = await link().call(ServiceServiceService.listServices, {
      ...{ pageSize: 0, pageToken: '', server: 'web2', type: '' },
    });
    return ['web2/nginx', 'web2/mariadb'].every((name) =>
      services.some((service) => service.name === name && service.state === 'enabled'),
    );
  });
  const root = writableCode(dir);
  await addPlatform(machine, 'wordpress', root);
  const added = await link().call(PlatformServiceService.addPlatform, {
    ...{ name: 'code2', root, service: 'web2/nginx', app: '', options },
  });
  await succeeded(machine, added.taskId);
  const installed = await installSite(machine);
  await succeeded(machine, installed.taskId);
  const siteId = installed.subjectId;
  const database = `site_${siteId.slice('site-'.length)}`;
  sql(machine, `CREATE TABLE ${database}.${WORDS_TABLE}`);

  const ask = (toWeb2: boolean): Promise<ChangeResponse> => {
    const to = toWeb2
      ? { server: 'web2', platform: 'code2', db: 'web2/mariadb' }
      : { server: 'web1', platform: 'wordpress', db: 'db1/mariadb' };
    return link().call(MoveServiceService.migrateSite, {
      ...{ site: SITE, ...to, maxHoldMillis: 0, pastHold: '', quietSeconds: 1, rounds: 1, skipLead: true, options },
    });
  };

  /** One site, whole, at one place; nothing of it at the other. */
  const expectOnePlace = async (words: readonly number[]): Promise<void> => {
    const there = await isAtWeb2();
    const [web, db, oldWeb, oldDb] = there ? ['web2', 'web2', 'web1', 'db1'] : ['web1', 'db1', 'web2', 'web2'];
    const host = (server: string, ...path: string[]) => join(dir, server, 'host', ...path);
    const hosts = (server: string) =>
      readdirSync(host(server, 'etc/nginx/conf.d')).filter((name) => name.includes(siteId.slice(-8)));
    expect((await site()).state).toBe('enabled');
    expect(existsSync(host(oldWeb, 'sites', siteId))).toBe(false);
    expect(hosts(oldWeb)).toEqual([]);
    expect(hosts(web)).toHaveLength(1);
    expect(sql(machine, 'SHOW DATABASES', oldDb)).not.toContain(database);
    expect(sql(machine, `SELECT user FROM mysql.user WHERE user LIKE '%${siteId.slice(-16)}%'`, oldDb)).toEqual([]);
    const kept = new Set(sql(machine, `SELECT n FROM ${database}.visits`, db).map(Number));
    expect(words.filter((n) => !kept.has(n))).toEqual([]);
    const home = await createBrowser(there ? WEB2 : WEB1).get(`http://${SITE}:${nginx}/`);
    expect([home.status, home.body.includes('<title>Fault')]).toEqual([200, true]);
    for (const server of ['web1', 'web2', 'db1']) {
      const snapshots = host(server, 'work/snapshots');
      if (existsSync(snapshots)) expect([server, readdirSync(snapshots)]).toEqual([server, []]);
    }
  };

  let last = 0;
  const words: number[] = [];
  const move = async (toWeb2: boolean) => succeeded(machine, (await ask(toWeb2)).taskId);
  const boundaries = await boundariesOf(machine, PROCESSES, () => move(true));
  await expectOnePlace(words);
  await move(false);
  await expectOnePlace(words);

  /** True when it came to that. */
  const strikeAt = async ({ what, name, boundary }: Strike, toWeb2: boolean): Promise<readonly [boolean, string]> => {
    if (what === 'kill') {
      const known = await taskIds(machine);
      setTrap(machine, name, boundary);
      const victim = machine.process(name);
      const asked = await ask(toWeb2).then(
        ({ taskId }) => taskId,
        (error: { code?: string }) => {
          // The master died before its answer went out; whether the task was made shows afterwards.
          if (name === 'master' && error.code === 'unavailable') return undefined;
          throw error;
        },
      );
      // It loses its connection when the master dies.
      const over = asked === undefined ? [] : [finish(machine, asked).catch(() => undefined)];
      const died = await Promise.race([
        victim.ended.then(() => true),
        ...over.map((ended) => ended.then((done) => done === undefined)),
      ]);
      if (died) await start(name);
      return [died, asked ?? (await newTask(machine, 'site.migrate', known))?.id ?? (await ask(toWeb2)).taskId];
    }
    const order = Promise.withResolvers<void>();
    const paused = pausedAt(machine, name, boundary, order.promise);
    const { taskId } = await ask(toWeb2);
    finish(machine, taskId).then(
      () => order.resolve(),
      () => order.resolve(),
    );
    if (!(await paused)) return [false, taskId];
    process.kill(Number(readFileSync(join(machine.layout.master, 'mesh/node.pid'), 'utf8')), 'SIGKILL');
    resume(machine, name);
    return [true, taskId];
  };

  return {
    isAtWeb2,
    move,
    boundaries,
    async struck(strike) {
      const toWeb2 = !(await isAtWeb2());
      const writers = startWriters(SITE, nginx, [WEB1, WEB2], last + 1);
      let done: Finished | undefined;
      let came = false;
      try {
        await until('visitors to have written', undefined, never, async () => writers.taken.length > 1);
        const [struck, taskId] = await strikeAt(strike, toWeb2);
        came = struck;
        done = await finish(machine, taskId);
      } finally {
        await writers.stop();
        last += 10_000;
      }
      const { state, reason } = done.task;
      try {
        words.push(...writers.taken.map(({ n }) => n));
        if (!came) throw new Error('it never came to that');
        expect(['succeeded', 'failed']).toContain(state);
        expect(bothWritable(writers.taken)).toEqual([]);
        await expectOnePlace(words);
        expect(await isAtWeb2()).toBe(state === 'succeeded' ? toWeb2 : !toWeb2);
      } catch (error) {
        throw new Error(`${state} ${reason}: ${error instanceof Error ? error.message : String(error)}`);
      }
      return state === 'succeeded' ? 'moved' : 'back';
    },
    close: () => machine.close(),
  };
}

async function succeeded(machine: Machine, taskId: string): Promise<void> {
  const { task } = await finish(machine, taskId);
  if (task.state !== 'succeeded') throw new Error(`${task.verb}: ${task.state}: ${task.reason}`);
}
