// Runners over one store: cancelling at every stage, waiting, lost leases, stopping, and who may work on what at once.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AegirError } from '../../shared/error.ts';
import { graphOf, ids, site, snapshot } from '../../test/records.ts';
import { planVerifyServer } from '../plan/change-server.ts';
import { planVerifySite } from '../plan/change-site.ts';
import type { Plan } from '../plan/plan.ts';
import type { Runner } from './runner.ts';
import { graphLines, type TaskCase, taskCases, worldLines } from './testing/cases.ts';
import { Crash, createTaskRig, type TaskRig } from './testing/rig.ts';
import { untilAborted } from './testing/script-agents.ts';
import { gapsIn } from './testing/story.ts';

const cases = taskCases(snapshot, graphOf);
const caseOf = (name: string) => cases.find((each) => each.name === name) as TaskCase;
const install = caseOf('install');
const MINUTE = 60_000;

let rig: TaskRig;
let runners: Runner[] = [];
const use = async (of: TaskCase) => {
  await rig.close();
  rig = await createTaskRig(of.ground);
  for (const there of of.world) rig.agents.world.add(there);
};
const start = (owner: string, limits = {}) => {
  const runner = rig.runner(owner, limits);
  runners.push(runner);
  runner.start();
  return runner;
};
/** Waits for what must come to be. */
const become = <T>(look: () => T | Promise<T>) => vi.waitFor(look, { timeout: 3000, interval: 3 });
const ended = (id: string) =>
  become(async () => {
    expect((await rig.store.tasks.get(id))?.finishedAt).not.toBeNull();
    return rig.read(id);
  });

beforeEach(async () => {
  rig = await createTaskRig(install.ground);
});
afterEach(async () => {
  await Promise.all(runners.map((runner) => runner.stop()));
  runners = [];
  await rig.close();
});

test('cancelled before it began: nothing is done', async () => {
  const id = await rig.task(install.plan);
  await rig.store.tasks.requestCancel(id);
  start('a');
  expect((await ended(id)).task).toMatchObject({ state: 'cancelled', reason: '', cancelRequested: false });
  expect(rig.began).toEqual([]);
});

test('cancelled while an older one of the same site is at work: it ends at once, and what waits behind it does not', async () => {
  await use(caseOf('verify'));
  const { plan } = caseOf('verify');
  const first = Promise.withResolvers<void>();
  rig.agents.before = () => first.promise;
  const older = await rig.task(plan);
  const [queued, younger] = [await rig.task(plan), await rig.task(plan)];
  // All that this master may do at once is that one.
  const runner = start('a', { tasks: 1 });
  await become(() => expect(rig.began.length).toBeGreaterThan(0));
  await rig.store.tasks.requestCancel(queued);
  runner.wake();
  const told = await ended(queued);
  expect(told.task).toMatchObject({ state: 'cancelled', reason: '', cancelRequested: false });
  expect(told.steps.every(({ attempts, state }) => attempts === 0 && state === 'pending')).toBe(true);
  expect(gapsIn(told)).toEqual([]);
  expect((await rig.store.tasks.get(older))?.state).toBe('running');
  expect((await rig.store.tasks.get(younger))?.state).toBe('queued');
  first.resolve();
  expect([(await ended(older)).task.state, (await ended(younger)).task.state]).toEqual(['succeeded', 'succeeded']);
});

test('cancelled while it is queued, and the master dies at any moment: it ends cancelled, and nothing is done', async () => {
  await use(caseOf('verify'));
  const { plan } = caseOf('verify');
  const older = await rig.task(plan, { state: 'waiting', resumeAt: Date.now() + 24 * 60 * MINUTE });
  const id = await rig.task(plan);
  await rig.store.tasks.requestCancel(id);
  // Said, but not recorded.
  const { update } = rig.store.tasks;
  (rig.store.tasks as { update: typeof update }).update = async () => {
    (rig.store.tasks as { update: typeof update }).update = update;
    throw new Crash('before the end is durable');
  };
  await expect(rig.drive()).rejects.toThrow('before the end is durable');
  await rig.restart();
  expect(await rig.driveThroughCrashes()).toBe(2);
  expect(rig.reached).toEqual(expect.arrayContaining(['task.claimed', 'task.finished']));
  const told = await rig.read(id);
  expect(told.task).toMatchObject({ state: 'cancelled', cancelRequested: false });
  expect(gapsIn(told)).toEqual([]);
  expect(rig.began).toEqual([]);
  expect((await rig.store.tasks.get(older))?.state).toBe('waiting');
});

test('cancelled while an action runs: the action is told, what was begun is undone', async () => {
  rig.agents.before = (order, _, options) =>
    order.step === 4 && order.id.includes('.do.') ? untilAborted(options) : undefined;
  const id = await rig.task(install.plan);
  const runner = start('a');
  await become(() => expect(rig.began).toContain('do 4'));
  await rig.store.tasks.requestCancel(id);
  runner.wake();
  const told = await ended(id);
  expect(told.task).toMatchObject({ state: 'cancelled', reason: '', undoCause: 'cancel', cancelRequested: false });
  expect(gapsIn(told)).toEqual([]);
  expect(await graphLines(rig.store)).toEqual(install.undone);
  expect(worldLines(rig.agents)).toEqual([]);
});

test('cancelled while it waits: it need not wait for its time', async () => {
  rig.waits.set(5, Date.now() + 24 * 60 * MINUTE);
  const id = await rig.task(install.plan);
  const runner = start('a');
  await become(async () => expect((await rig.store.tasks.get(id))?.state).toBe('waiting'));
  await rig.store.tasks.requestCancel(id);
  runner.wake();
  const told = await ended(id);
  expect(told.task).toMatchObject({ state: 'cancelled', undoCause: 'cancel', resumeAt: null });
  expect(gapsIn(told)).toEqual([]);
  expect(worldLines(rig.agents)).toEqual([]);
});

test('cancelled while it waits to try again', async () => {
  rig.agents.before = (order) => {
    if (order.step === 2 && order.id.includes('.do.')) throw new AegirError('unavailable', 'cannot act: not there');
  };
  const id = await rig.task(install.plan);
  const runner = start('a', { firstBackoffMs: MINUTE, maxBackoffMs: MINUTE });
  await become(async () => expect((await rig.store.steps.ofTask(id))[2]?.notBefore).not.toBeNull());
  await rig.store.tasks.requestCancel(id);
  const told = await become(async () => {
    runner.wake();
    expect((await rig.store.tasks.get(id))?.state).toBe('cancelled');
    return rig.read(id);
  });
  expect(gapsIn(told)).toEqual([]);
});

test('cancelled while it undoes: it goes on undoing, and fails for the reason it had', async () => {
  rig.mishaps.push({ step: 4, direction: 'do', error: new AegirError('internal', 'cannot act: broken'), left: 1 });
  const gate = Promise.withResolvers<void>();
  rig.onBegin = (direction, step) => (direction === 'undo' && step === 2 ? gate.promise : undefined);
  const id = await rig.task(install.plan);
  const runner = start('a');
  await become(() => expect(rig.began).toContain('undo 2'));
  await rig.store.tasks.requestCancel(id);
  runner.wake();
  gate.resolve();
  const told = await ended(id);
  expect(told.task).toMatchObject({ state: 'failed', reason: 'cannot act: broken', undoCause: 'failure' });
  expect(gapsIn(told)).toEqual([]);
  expect(worldLines(rig.agents)).toEqual([]);
});

/** An install that failed, whose undo of one step begins with what is given. */
async function undoing(at: number, before: TaskRig['agents']['before'], limits = {}) {
  rig.mishaps.push({ step: 4, direction: 'do', error: new AegirError('internal', 'cannot act: broken'), left: 1 });
  rig.agents.before = (order, serverId, options) =>
    order.step === at && order.id.includes('.undo.') ? before(order, serverId, options) : undefined;
  const id = await rig.task(install.plan);
  start('a', limits);
  await become(() => expect(rig.began).toContain(`undo ${at}`));
  return id;
}

test('a cancel cuts undoing short of which nothing is heard, and it is given up', async () => {
  const id = await undoing(2, () => new Promise(() => {}));
  // Whoever does not cancel waits.
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect((await rig.store.tasks.get(id))?.state).toBe('undoing');
  await rig.store.tasks.requestCancel(id);
  const told = await ended(id);
  expect(told.task).toMatchObject({
    state: 'failed',
    reason: `given up, not undone whole: cannot undo "${install.plan.steps[2]?.summary}": nothing was heard of it for 0.05 s`,
  });
  expect(gapsIn(told)).toEqual([]);
});

test('a cancel does not cut undoing short that gets on', async () => {
  const getsOn: TaskRig['agents']['before'] = async (order, _, options) => {
    await rig.store.tasks.requestCancel(order.taskId);
    for (let part = 1; part <= 20; part++) {
      const body = { $case: 'progress' as const, value: { fraction: part / 20, label: '' } };
      options.onEvent({ actionId: order.id, seq: BigInt(part), time: new Date(), body });
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  };
  const id = await undoing(2, getsOn, { quietMs: 300 });
  const told = await ended(id);
  expect(told.task).toMatchObject({ state: 'failed', reason: 'cannot act: broken' });
  expect(worldLines(rig.agents)).toEqual([]);
});

test('a cancel ends the pause before undoing is tried again', async () => {
  rig.mishaps.push(
    { step: 4, direction: 'do', error: new AegirError('internal', 'cannot act: broken'), left: 1 },
    { step: 2, direction: 'undo', error: new AegirError('unavailable', 'cannot undo: not there'), left: 1 },
  );
  const id = await rig.task(install.plan);
  const runner = start('a', { firstBackoffMs: MINUTE, maxBackoffMs: MINUTE });
  await become(async () => expect((await rig.store.steps.ofTask(id))[2]?.undoAttempts).toBe(1));
  await become(async () => expect((await rig.store.steps.ofTask(id))[2]?.notBefore).not.toBeNull());
  await rig.store.tasks.requestCancel(id);
  runner.wake();
  expect((await ended(id)).task).toMatchObject({ state: 'failed', reason: 'cannot act: broken' });
  expect(worldLines(rig.agents)).toEqual([]);
});

test('a cancel that comes as a step fails means undo, not give up', async () => {
  rig.mishaps.push(
    { step: 4, direction: 'do', error: new AegirError('internal', 'cannot act: broken'), left: 1 },
    { step: 2, direction: 'undo', error: new AegirError('internal', 'cannot undo: broken'), left: 1 },
  );
  const id = await rig.task(install.plan);
  rig.onBegin = async (direction, step) => {
    if (direction === 'do' && step === 4) await rig.store.tasks.requestCancel(id);
  };
  await rig.drive();
  expect((await rig.read(id)).task.state).toBe('stuck');
});

test('past its point of no return a cancel is refused, and the story says so', async () => {
  const of = caseOf('delete');
  await use(of);
  const gate = Promise.withResolvers<void>();
  rig.onBegin = (_, step) => (step === 3 ? gate.promise : undefined);
  const id = await rig.task(of.plan);
  const runner = start('a');
  await become(() => expect(rig.began).toContain('do 3'));
  await rig.store.tasks.requestCancel(id);
  runner.wake();
  gate.resolve();
  const told = await ended(id);
  expect(told.task).toMatchObject({ state: 'succeeded', cancelRequested: false });
  const refusals = told.events.filter(
    (event) => event.body?.$case === 'log' && /point of no return/.test(event.body.value.text),
  );
  expect(refusals).toHaveLength(1);
  expect(await graphLines(rig.store)).toEqual(of.done);
});

test('stuck past its point of no return, a cancel tries once more and gives it up', async () => {
  const of = caseOf('delete');
  await use(of);
  const error = new AegirError('internal', 'cannot drop it: broken');
  rig.mishaps.push({ step: 3, direction: 'do', error, left: 2 });
  const id = await rig.task(of.plan);
  await rig.drive();
  expect((await rig.read(id)).task.state).toBe('stuck');
  await rig.store.tasks.requestCancel(id);
  await rig.store.tasks.unstick(id);
  await rig.drive();
  const told = await rig.read(id);
  expect(told.task).toMatchObject({ state: 'failed', reason: `given up after: ${error.message}` });
  expect(gapsIn(told)).toEqual([]);
  // It can be deleted again.
  expect((await rig.store.sites.get(ids.site))?.state).toBe('failed');
});

test('a wait survives restarts and ends at its time', async () => {
  const at = Date.now() + 24 * 60 * MINUTE;
  rig.waits.set(3, at);
  const id = await rig.task(install.plan);
  await rig.drive();
  const waiting = await rig.read(id);
  expect(waiting.task).toMatchObject({ state: 'waiting', resumeAt: at, reason: 'told to wait', leaseOwner: null });
  expect(gapsIn(waiting)).toEqual([]);
  expect(await rig.store.tasks.nextResume()).toBe(at);
  for (rig.clock = 0; rig.clock < 23 * 60 * MINUTE; rig.clock += 4 * 60 * MINUTE) {
    await rig.restart();
    await rig.drive();
  }
  expect(rig.began).toHaveLength(4);
  rig.clock = 24 * 60 * MINUTE + 1000;
  await rig.restart();
  await rig.drive();
  const told = await rig.read(id);
  expect(told.task).toMatchObject({ state: 'succeeded', resumeAt: null });
  expect(told.steps[3]).toMatchObject({ attempts: 2, startedAt: waiting.steps[3]?.startedAt });
  expect(gapsIn(told)).toEqual([]);
});

test('what fails for a passing reason hours after it began is tried again, if it got on till then', async () => {
  const hours = (told: boolean) => {
    let first = true;
    rig.agents.before = (order, _, { onEvent }) => {
      if (order.step !== 2 || !order.id.includes('.do.') || !first) return;
      first = false;
      rig.clock += 5 * 60 * MINUTE;
      const progress = { fraction: 0.5, label: 'half of it', transfer: undefined };
      if (told) onEvent({ actionId: order.id, seq: 1n, time: undefined, body: { $case: 'progress', value: progress } });
      throw new AegirError('unavailable', 'cannot go on: the sender has said nothing for 8 s');
    };
  };
  hours(true);
  const large = await rig.task(install.plan);
  await rig.drive();
  expect((await rig.read(large)).task.state).toBe('succeeded');
  await use(install);
  hours(false);
  const hung = await rig.task(install.plan);
  await rig.drive();
  expect((await rig.read(hung)).task.state).toBe('failed');
});

test('a lost lease: the next runner does the same action again, the first writes nothing more', async () => {
  let first: unknown;
  rig.agents.before = (order, _, options) => {
    if (order.step !== 2 || order.generation !== 1) return;
    options.signal.addEventListener('abort', () => {
      first = options.signal.reason;
    });
    return untilAborted(options);
  };
  const id = await rig.task(install.plan);
  const a = start('a');
  await become(() => expect(rig.began).toContain('do 2'));
  rig.clock = MINUTE;
  start('b');
  const told = await ended(id);
  expect(told.task).toMatchObject({ state: 'succeeded', leaseEpoch: 2 });
  await become(() => {
    a.wake();
    expect(first).toBeDefined();
  });
  // Not cancelled: the agent must go on with it.
  expect(first).toMatchObject({ name: 'AegirError', code: 'aborted' });
  await a.stop();
  expect(await rig.read(id)).toEqual(told);
  const same = rig.agents.asked.filter((one) => one.id.includes('.2.do.'));
  expect(same.map((one) => [one.id, one.generation])).toEqual([
    [`${id}.2.do.1`, 1],
    [`${id}.2.do.1`, 2],
  ]);
  expect(rig.lost).toEqual([]);
});

test('a master that stops lets its actions go on, and the next takes them up', async () => {
  let reason: unknown;
  rig.agents.before = (order, _, options) => {
    if (order.step !== 3 || order.generation !== 1) return;
    options.signal.addEventListener('abort', () => {
      reason = options.signal.reason;
    });
    return untilAborted(options);
  };
  const id = await rig.task(install.plan);
  const a = start('a');
  await become(() => expect(rig.began).toContain('do 3'));
  await a.stop();
  expect(reason).toMatchObject({ name: 'AegirError', code: 'aborted' });
  expect((await rig.read(id)).task.state).toBe('running');
  expect((await rig.store.steps.ofTask(id))[3]).toMatchObject({ state: 'doing', attempts: 1 });
  await rig.restart();
  start('b');
  const told = await ended(id);
  expect(told.task.state).toBe('succeeded');
  expect(told.steps[3]?.attempts).toBe(1);
  expect(gapsIn(told)).toEqual([]);
});

test('a task that broke off in this master goes on here after a pause, however busy it is', async () => {
  const plan = planVerifyServer(graphOf({ sites: [] }), graphOf().server(ids.db1));
  const detectOnly: Plan = { ...plan, steps: plan.steps.filter((step) => step.kind === 'server.detect'), locks: [] };
  const held = Promise.withResolvers<void>();
  const busy = await rig.task({ ...detectOnly, locks: ['busy'] });
  let hold = true;
  rig.onBegin = () => (hold ? held.promise : undefined);
  const runner = start('a');
  await become(() => expect(rig.began).toHaveLength(1));
  hold = false;
  rig.crashAt = { name: 'task.step.done:server.detect', left: 1 };
  const id = await rig.task(detectOnly);
  runner.wake();
  await become(() => expect(rig.lost).toHaveLength(1));
  expect(rig.lost[0]).toBeInstanceOf(Crash);
  await become(async () => {
    rig.clock += 4000;
    runner.wake();
    expect((await rig.store.tasks.get(id))?.state).toBe('succeeded');
  });
  held.resolve();
  expect((await ended(busy)).task.state).toBe('succeeded');
});

test('two runners share the work, and never one task', async () => {
  const at = new Map<string, string[]>();
  rig.agents.before = async (order) => {
    at.set(order.taskId, [...(at.get(order.taskId) ?? []), order.id]);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const plan = planVerifySite(graphOf(), { ...site, state: 'installing' });
  const tasks: string[] = [];
  for (let i = 0; i < 12; i++) tasks.push(await rig.task({ ...plan, locks: [`site/${i}`] }));
  const [a, b] = [start('a', { tasks: 2 }), start('b', { tasks: 2 })];
  const owners = new Set<string | null>();
  await become(async () => {
    a.wake();
    b.wake();
    const all = await rig.store.tasks.list({ limit: 100 });
    const open = all.filter((task) => task.leaseOwner !== null);
    for (const task of open) owners.add(task.leaseOwner);
    for (const owner of ['a', 'b']) expect(open.filter((task) => task.leaseOwner === owner).length).toBeLessThan(3);
    expect(all.map((task) => task.state)).toEqual(tasks.map(() => 'succeeded'));
  });
  expect(owners).toEqual(new Set(['a', 'b']));
  for (const id of tasks) {
    expect((await rig.store.tasks.get(id))?.leaseEpoch).toBeGreaterThan(0);
    expect(new Set(at.get(id)).size, id).toBe(at.get(id)?.length);
  }
  expect(rig.lost).toEqual([]);
});

test('who shares a site or a server goes one after the other, in the order of asking', async () => {
  const graph = graphOf();
  const plans: Plan[] = [
    planVerifySite(graph, site),
    planVerifyServer(graph, graph.server(ids.web1)),
    planVerifySite(graph, site),
    planVerifyServer(graph, graph.server(ids.db1)),
  ];
  // Of another site: waits for nobody.
  const free: Plan = { ...planVerifySite(graph, site), locks: ['site/site-other'] };
  const gate = Promise.withResolvers<void>();
  const spans: string[] = [];
  const tasks: string[] = [];
  for (const plan of plans) tasks.push(await rig.task(plan));
  const other = await rig.task(free);
  rig.agents.before = (order) => {
    if (order.taskId === other) return;
    if (spans.at(-1) !== order.taskId) spans.push(order.taskId);
    return order.taskId === tasks[0] ? gate.promise : undefined;
  };
  start('a');
  start('b');
  expect((await ended(other)).task.state).toBe('succeeded');
  expect(spans).toEqual([tasks[0]]);
  gate.resolve();
  for (const id of tasks) {
    await become(async () => {
      for (const runner of runners) runner.wake();
      expect((await rig.store.tasks.get(id))?.state).toBe('succeeded');
    });
  }
  expect(spans).toEqual(tasks);
});
