// A machine with two web servers and two databases, whose processes can be struck while a site moves between them, and what
// must be true of it afterwards.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { type EmbeddedServer, until } from '../../deploy/up/processes.ts';
import {
  type ChangeResponse,
  ServiceServiceService,
  type Site,
  SiteServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import { BackupServiceService } from '../../shared/gen/aegir/v1/backup_admin.ts';
import { MoveServiceService } from '../../shared/gen/aegir/v1/move_admin.ts';
import { freePorts } from '../e2e/free-ports.ts';
import { addPlatform, createMachine, finish, type Machine, type ProcessName } from '../e2e/machine.ts';
import { installSite, SITE } from '../e2e/site-tasks.ts';
import { sql } from '../e2e/sql.ts';
import { untilEnabled, WEB2 } from '../e2e/web2.ts';
import { type Outcome, settle, underBlows } from './blows.ts';
import { boundariesOf, isStopped, passed, resume, setTraps, watched } from './boundaries.ts';
import { breakHomePage } from './broken-code.ts';
import { gapsIn } from './story.ts';
import type { Strike } from './strikes.ts';
import { bothWritable, startWriters, WORDS_TABLE, writableCode } from './writers.ts';

export const PROCESSES: readonly ProcessName[] = ['master', 'web1', 'web2', 'db1'];
const WEB1 = '127.0.1.1';
const never = new AbortController().signal;
const options = undefined;
/** Where each move keeps a backup before it. */
const STORE = 'db1/mesh';
/** Of what a move onto broken code undoes, the last that changed something. */
const FIRST_BACK = 'task.undo.intent:http.publish';

export type End = 'moved' | 'back';
export type Boundaries = ReadonlyMap<ProcessName, readonly string[]>;

export interface MoveRig {
  isAtWeb2(): Promise<boolean>;
  /** Boundaries of a move to web2, by process. */
  readonly boundaries: Boundaries;
  /** Of one that cannot end at web2, whose platform there is broken; empty without such. */
  readonly doomed: Boundaries;
  /** How many of `doomed`, by process, were passed before it was to be undone. */
  readonly before: ReadonlyMap<ProcessName, number>;
  /** Moves it in peace. */
  move(toWeb2: boolean): Promise<void>;
  /**
   * Moves it to the other place under visitors who write, and blows; throws when it does not end whole at one place.
   * missed: it never came to them.
   */
  struck(
    strikes: readonly Strike[],
    doomed?: boolean,
  ): Promise<{ readonly end: End; readonly missed: readonly Strike[] }>;
  close(): Promise<void>;
}

/** withDoomed: with a broken platform; the site is at web1 then, otherwise at web2. */
export async function createMoveRig(withDoomed: boolean): Promise<MoveRig> {
  const machine = await createMachine();
  try {
    return await prepare(machine, withDoomed);
  } catch (error) {
    await machine.close().catch(() => {});
    throw error;
  }
}

async function prepare(machine: Machine, withDoomed: boolean): Promise<MoveRig> {
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
  await start('master');
  await Promise.all(['web1', 'db1', 'web2'].map(start));
  await machine.ready();
  await untilEnabled(machine, 'web2/nginx', 'web2/mariadb');
  const root = writableCode(dir);
  await addPlatform(machine, 'wordpress', root);
  await addPlatform(machine, 'code2', root, 'web2/nginx');
  const installed = await installSite(machine);
  await succeeded(machine, installed.taskId);
  const kept = await link().call(ServiceServiceService.enableService, { service: STORE, options });
  await succeeded(machine, kept.taskId);
  const siteId = installed.subjectId;
  const database = `site_${siteId.slice('site-'.length)}`;
  sql(machine, `CREATE TABLE ${database}.${WORDS_TABLE}`);

  const ask = (toWeb2: boolean, platform = 'code2'): Promise<ChangeResponse> => {
    const to = toWeb2
      ? { server: 'web2', platform, db: 'web2/mariadb' }
      : { server: 'web1', platform: 'wordpress', db: 'db1/mariadb' };
    return link().call(MoveServiceService.migrateSite, {
      ...{
        site: SITE,
        ...to,
        maxHoldMillis: 0,
        pastHold: '',
        quietSeconds: 1,
        rounds: 1,
        skipLead: true,
        backup: STORE,
        noBackup: false,
        noFollow: false,
        noDnsWait: false,
        options,
      },
    });
  };
  /** Those that were kept, and those that nobody knows whether they are. */
  const backups = async () => {
    const which = { site: SITE, service: '', pageSize: 0, pageToken: '' };
    const { backups: all } = await link().call(BackupServiceService.listBackups, which);
    const of = (state: string) => all.filter((each) => each.state === state).length;
    return { ready: of('ready'), making: of('making') };
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

  /** Cannot be known by the order of the logs: the master waits at its first step back until the others' are counted. */
  const before = new Map<ProcessName, number>();
  const lookAtDoomed = async () => {
    await move(false);
    await expectOnePlace(words);
    await addPlatform(machine, 'broken', breakHomePage(writableCode(dir, 'broken-code')), 'web2/nginx');
    const found = await boundariesOf(machine, PROCESSES, async () => {
      setTraps(machine, 'master', [`pause ${FIRST_BACK}`]);
      const { taskId } = await ask(true, 'broken');
      await until('it to be undone', machine.process('master'), never, async () =>
        isStopped(machine.process('master').pid),
      );
      for (const name of PROCESSES) before.set(name, passed(machine, name));
      resume(machine, 'master');
      const { task } = await finish(machine, taskId);
      if (task.state !== 'failed') throw new Error(`a move onto broken code ended as ${task.state}`);
    });
    await expectOnePlace(words);
    return found;
  };
  const doomed: Boundaries = withDoomed ? await lookAtDoomed() : new Map();

  return {
    isAtWeb2,
    move,
    boundaries,
    doomed,
    before,
    async struck(strikes, isDoomed = false) {
      await settle(machine);
      const toWeb2 = !(await isAtWeb2());
      const { ready } = await backups();
      const writers = startWriters(SITE, nginx, [WEB1, WEB2], last + 1);
      let outcome: Outcome;
      try {
        await until('visitors to have written', undefined, never, async () => writers.taken.length > 1);
        const where = { machine, start, names: PROCESSES, boundaries: isDoomed ? doomed : boundaries };
        outcome = await underBlows(
          { ...where, whilePaused: () => killMeshNode(machine) },
          ...([strikes, 'site.migrate', () => ask(toWeb2, isDoomed ? 'broken' : 'code2')] as const),
        );
      } finally {
        await writers.stop();
        last += 10_000;
      }
      const { done, missed } = outcome;
      const { state, reason } = done.task;
      try {
        words.push(...writers.taken.map(({ n }) => n));
        expect(['succeeded', 'failed']).toContain(state);
        if (isDoomed) expect(state).toBe('failed');
        expect(gapsIn(done)).toEqual([]);
        expect(bothWritable(writers.taken)).toEqual([]);
        await expectOnePlace(words);
        expect(await isAtWeb2()).toBe(state === 'succeeded' ? toWeb2 : !toWeb2);
        expect(await backups()).toEqual({ ready: state === 'succeeded' ? ready + 1 : ready, making: 0 });
      } catch (error) {
        // Told once: what comes next is judged by its own.
        words.length = 0;
        throw new Error(`${state} ${reason}: ${error instanceof Error ? error.message : String(error)}`);
      }
      return { end: state === 'succeeded' ? 'moved' : 'back', missed };
    },
    close: () => machine.close(),
  };
}

/** The master starts it again. */
function killMeshNode(machine: Machine): void {
  try {
    process.kill(Number(readFileSync(join(machine.layout.master, 'mesh/node.pid'), 'utf8')), 'SIGKILL');
  } catch (error) {
    // It is down already.
    if (!['ESRCH', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

async function succeeded(machine: Machine, taskId: string): Promise<void> {
  const { task } = await finish(machine, taskId);
  if (task.state !== 'succeeded') throw new Error(`${task.verb}: ${task.state}: ${task.reason}`);
}
