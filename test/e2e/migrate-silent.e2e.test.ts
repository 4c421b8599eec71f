// The new server's agent falls silent while visitors wait for their site to move to it: they are served where they were when
// their hold ends, or somebody cancels; the new place serves nobody, then or when it wakes up with the order in its hand; then
// nothing is left over, and a new move succeeds.
// @module-tag deep
import { existsSync, readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { until } from '../../deploy/up/processes.ts';
import {
  PlatformServiceService,
  SiteServiceService,
  type Task,
  TaskServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import { MoveServiceService } from '../../shared/gen/aegir/v1/move_admin.ts';
import { isStopped, resume, setTraps, watched } from '../fault/boundaries.ts';
import { addWordpress, finish, type Machine, startMachine } from './machine.ts';
import { installSite, SITE } from './site-tasks.ts';
import { sql } from './sql.ts';
import { startWeb2, WEB2 } from './web2.ts';

const WEB1 = '127.0.1.1';
const EVERY_MS = 250;
/** For what two cores do besides: the master is told, three agents act, two web servers reload. */
const SOME_MS = 12_000;
/** Its second apply-http in a move: the site is there, for nobody yet. */
const AT_PUBLISH = 'pause agent.action.received:apply-http#2';
const never = new AbortController().signal;
let machine: Machine;
let port = 0;
let siteId = '';

const link = () => machine.connection();
const host = (server: string, ...path: string[]) => join(machine.layout.dir, server, 'host', ...path);
const taskNow = (taskId: string): Promise<Task> => link().call(TaskServiceService.getTask, { taskId });
const isSilent = () => isStopped(machine.process('web2').pid);

beforeAll(async () => {
  machine = await startMachine();
  port = machine.layout.ports.web1.nginx;
  await startWeb2(machine, true, watched(machine.layout.dir, 'web2'));
  await addWordpress(machine);
  const added = await link().call(PlatformServiceService.addPlatform, {
    ...{ name: 'wordpress2', root: '/usr/share/wordpress', service: 'web2/nginx', app: '', options: undefined },
  });
  const installed = await installSite(machine);
  siteId = installed.subjectId;
  for (const { taskId } of [added, installed])
    expect((await finish(machine, taskId)).task).toMatchObject({ state: 'succeeded' });
});
afterEach(() => {
  // A test that failed must not keep the machine from ending.
  if (isSilent()) resume(machine, 'web2');
});
afterAll(() => machine?.close());

interface Answer {
  readonly at: number;
  readonly status: number;
}

function ask(address: string): Promise<number> {
  return new Promise((resolve) => {
    const headers = { host: `${SITE}:${port}` };
    const sent = request({ host: address, port, path: '/', headers, agent: false, timeout: 60_000 }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(0));
    sent.end();
  });
}

/** One after the other, so that nobody who still waits hides that others are served. */
function visitors(address: string) {
  let going = true;
  const answers: Answer[] = [];
  const open = new Set<Promise<unknown>>();
  const coming = (async () => {
    while (going) {
      const one: Promise<unknown> = ask(address)
        .then((status) => answers.push({ at: performance.now(), status }))
        .finally(() => open.delete(one));
      open.add(one);
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    await Promise.all(open);
  })();
  return {
    /** Statuses of answers that came after a time (performance.now). */
    since: (time: number) => answers.filter(({ at }) => at > time).map(({ status }) => status),
    servedAfter: (time: number) => answers.find(({ at, status }) => at > time && status === 200)?.at,
    stop: () => {
      going = false;
      return coming;
    },
  };
}

async function migrate(maxHoldMillis: number): Promise<string> {
  const { taskId } = await link().call(MoveServiceService.migrateSite, {
    ...{ site: SITE, server: 'web2', platform: '', db: '', maxHoldMillis, pastHold: '', quietSeconds: 1, rounds: 1 },
    ...{ skipLead: true, backup: '', noBackup: true, noFollow: false, noDnsWait: false, options: undefined },
  });
  return taskId;
}

async function stateOf(taskId: string, wanted: string): Promise<string | undefined> {
  const { plan, steps } = await taskNow(taskId);
  return steps[plan?.steps.findIndex(({ kind }) => kind === wanted) ?? -1]?.state;
}

/** Moves until the agent of web2 stands there; answers since when visitors wait. */
async function moveUntilSilent(maxHoldMillis: number) {
  setTraps(machine, 'web2', [AT_PUBLISH]);
  const taskId = await migrate(maxHoldMillis);
  await until('visitors to wait', undefined, never, async () =>
    ['doing', 'done'].includes((await stateOf(taskId, 'gate.hold')) ?? ''),
  );
  const waitingSince = performance.now();
  await until('the new server to be silent', undefined, never, async () => isSilent());
  const { plan, steps } = await taskNow(taskId);
  const now = steps.findIndex(({ state }) => state === 'doing');
  expect(plan?.steps[now]?.summary).toMatch(/^Serve .* to nobody but web1 yet$/);
  return { taskId, waitingSince };
}

function expectNothingAtWeb2(): void {
  const [database, ours] = [`site_${siteId.slice('site-'.length)}`, siteId.slice(-16)];
  expect(existsSync(host('web2', 'sites', siteId))).toBe(false);
  expect(readdirSync(host('web2', 'etc/nginx/conf.d')).filter((name) => name.includes(siteId.slice(-8)))).toEqual([]);
  expect(sql(machine, 'SHOW DATABASES', 'web2')).not.toContain(database);
  expect(sql(machine, `SELECT user FROM mysql.user WHERE user LIKE '%${ours}%'`, 'web2')).toEqual([]);
  for (const server of ['web1', 'web2', 'db1']) {
    const snapshots = host(server, 'work/snapshots');
    if (existsSync(snapshots)) expect([server, readdirSync(snapshots)]).toEqual([server, []]);
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('visitors wait no longer than their hold, and what is left is tidied when it answers again', async () => {
  const [old, there] = [visitors(WEB1), visitors(WEB2)];
  const began = performance.now();
  try {
    const { taskId, waitingSince } = await moveUntilSilent(15_000);
    await until('the gate to be undone', undefined, never, async () => {
      return (await stateOf(taskId, 'gate.hold')) === 'undone';
    });
    const servedAt = performance.now();
    console.log(`served again ${Math.round(servedAt - waitingSince)} ms after visitors began to wait`);
    expect(servedAt - waitingSince).toBeLessThan(15_000 + SOME_MS);
    // Its session ends meanwhile, too: nobody hears of it for so long.
    await pause(40_000);
    expect(old.servedAfter(servedAt)).toBeDefined();
    expect(new Set(old.since(servedAt + 1_000))).toEqual(new Set([200]));
    expect(isSilent()).toBe(true);
    expect(await taskNow(taskId)).toMatchObject({ state: 'undoing' });
    resume(machine, 'web2');
    const { task, events } = await finish(machine, taskId);
    expect(task).toMatchObject({ state: 'failed', reason: expect.stringMatching(/visitors have waited for 11\.\d s/) });
    const logs = events.flatMap(({ body }) => (body?.$case === 'log' ? [body.value.text] : []));
    expect(logs).toEqual(expect.arrayContaining(['waiting for the agent of web2 to connect']));
    expect(new Set(old.since(servedAt + 1_000))).toEqual(new Set([200]));
    // Also as it carried out the order that it had in its hand.
    expect(there.since(began)).not.toContain(200);
    expectNothingAtWeb2();
  } finally {
    await Promise.all([old.stop(), there.stop()]);
  }
});

test('a cancel serves them at once', async () => {
  const old = visitors(WEB1);
  try {
    const { taskId } = await moveUntilSilent(60_000);
    const cancelledAt = performance.now();
    await link().call(TaskServiceService.cancelTask, { taskId });
    await until('the gate to be undone', undefined, never, async () => {
      return (await stateOf(taskId, 'gate.hold')) === 'undone';
    });
    const servedAt = performance.now();
    console.log(`served again ${Math.round(servedAt - cancelledAt)} ms after the cancel`);
    expect(servedAt - cancelledAt).toBeLessThan(SOME_MS);
    resume(machine, 'web2');
    expect((await finish(machine, taskId)).task).toMatchObject({ state: 'cancelled' });
    await until('visitors to be served', undefined, never, async () => old.servedAfter(servedAt) !== undefined);
    expect(new Set(old.since(servedAt))).toEqual(new Set([200]));
    expectNothingAtWeb2();
  } finally {
    await old.stop();
  }
});

test('and then it moves', async () => {
  expect((await finish(machine, await migrate(0))).task).toMatchObject({ state: 'succeeded', reason: '' });
  expect((await link().call(SiteServiceService.getSite, { site: SITE })).platform).toBe('wordpress2');
  expect(await ask(WEB2)).toBe(200);
});
