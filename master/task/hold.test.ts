// Visitors who wait while their site moves: whatever falls silent meanwhile, they are served where they were when their hold
// ends, or a person cancels; what the new servers have in hand is tidied when they answer again.
import { afterEach, expect, test, vi } from 'vitest';
import { AegirError } from '../../shared/error.ts';
import { graphOf, snapshot } from '../../test/records.ts';
import type { Plan } from '../plan/plan.ts';
import type { Runner } from './runner.ts';
import { graphLines, type TaskCase, taskCases, worldLines } from './testing/cases.ts';
import { createTaskRig, type TaskRig } from './testing/rig.ts';
import { untilAborted } from './testing/script-agents.ts';
import { gapsIn } from './testing/story.ts';

const HOLD_MS = 150;
const NEW = /^srv-0123456789abcdm[12]$/;
const cases = taskCases(snapshot, graphOf).filter(({ name }) => name.startsWith('migrate'));
const hosts = cases.filter(({ plan }) => plan.steps.some(({ serverId }) => NEW.test(serverId ?? '')));
const LATE = /^cannot go on: visitors have waited for [\d.]+ m?s, and the rest of their hold is for going back/;

let rig: TaskRig | undefined;
let runner: Runner | undefined;
const end = async () => {
  await runner?.stop();
  await rig?.close();
  [runner, rig] = [undefined, undefined];
};
afterEach(end);

const indexOf = ({ steps }: Plan, kind: string) => steps.findIndex((step) => step.kind === kind);
/** Between the hold and the point of no return. */
const waited = ({ plan }: TaskCase) => plan.steps.flatMap(({ within }, index) => (within === undefined ? [] : [index]));
const become = <T>(look: () => T | Promise<T>) => vi.waitFor(look, { timeout: 5000, interval: 3 });

function inShort(plan: Plan, millis: number): Plan {
  const steps = plan.steps.map((step) => {
    const { within } = step;
    return within === undefined ? step : { ...step, within: { ...within, millis } };
  });
  return { ...plan, steps };
}

/** From the step on. What they have in hand is carried out when they wake up, in order, though nobody wants it any more. */
function silence(of: TaskRig, from: number, until: Promise<void>): void {
  let silent = false;
  of.onBegin = (direction, step) => {
    if (direction === 'do' && step === from) silent = true;
  };
  of.agents.before = (_, serverId) => (silent && NEW.test(serverId) ? until : undefined);
}

async function begin(of: TaskCase, millis: number) {
  const made = await createTaskRig(of.ground);
  rig = made;
  for (const there of of.world) made.agents.world.add(there);
  const silent = Promise.withResolvers<void>();
  const start = async () => {
    const id = await made.task(inShort(of.plan, millis));
    runner = made.runner('a');
    runner.start();
    return id;
  };
  const endOf = (id: string) =>
    become(async () => {
      expect((await made.store.tasks.get(id))?.finishedAt).not.toBeNull();
      return made.read(id);
    });
  /** By the old server, which holds nobody. */
  const served = (id: string) =>
    become(async () => {
      const steps = await made.store.steps.ofTask(id);
      const gate = indexOf(of.plan, 'gate.hold');
      expect(steps[gate]?.state).toBe('undone');
      // The others that keep visitors out were undone before it.
      const begun = waited(of).filter((index) => (steps[index]?.attempts ?? 0) > 0);
      expect(begun.filter((index) => !['undone', 'skipped'].includes(steps[index]?.state ?? ''))).toEqual([]);
      const lines = worldLines(made.agents);
      const web = of.world.filter((line) => line.includes(' http '));
      expect(lines).toEqual(expect.arrayContaining(web));
      expect(lines.filter((line) => line.includes(' gate '))).toEqual([]);
    });
  return { rig: made, silent, start, endOf, served };
}

test('moves to other servers are tried', () => expect(hosts).toHaveLength(3));

test.each(hosts)(
  'new servers fall silent for good at any step of the hold, not even heeding to stop: $name',
  async (of) => {
    for (const step of waited(of)) {
      const { rig, silent, start, endOf, served } = await begin(of, HOLD_MS);
      silence(rig, step, silent.promise);
      const id = await start();
      await served(id);
      expect((await rig.store.tasks.get(id))?.state, `step ${step}`).not.toBe('succeeded');
      silent.resolve();
      const told = await endOf(id);
      expect(told.task.state, `step ${step}`).toBe('failed');
      expect(gapsIn(told)).toEqual([]);
      expect(await graphLines(rig.store)).toEqual(of.undone);
      expect(worldLines(rig.agents), `step ${step}`).toEqual(of.undoneWorld);
      await end();
    }
  },
);

test('agents are told what visitors wait for, done or undone, until they are served again', async () => {
  const of = hosts[0] as TaskCase;
  const waitsFor = async (broken: string) => {
    const { rig, start, endOf } = await begin(of, 60_000);
    const urgent = new Set<string>();
    rig.agents.before = (order) => {
      const kind = of.plan.steps[order.step]?.kind ?? '';
      if (order.urgent) urgent.add(`${order.id.split('.')[2]} ${kind}`);
      if (kind === broken && order.id.includes('.do.')) throw new AegirError('internal', 'cannot act: broken');
    };
    await endOf(await start());
    await end();
    return [...urgent].sort();
  };
  const gate = ['gate.close', 'gate.forward', 'gate.hold'];
  const done = ['copy.files', 'db.freeze', ...gate, 'http.publish', 'replica.finish', 'site.probe'];
  expect(await waitsFor('')).toEqual(done.map((kind) => `do ${kind}`));
  expect((await waitsFor('site.probe')).filter((text) => text.startsWith('undo'))).toEqual(
    ['copy.database', 'copy.files', 'db.freeze', 'gate.hold', 'http.publish'].map((kind) => `undo ${kind}`),
  );
});

test('that they are held for too long is why it failed, and is told', async () => {
  const of = hosts[0] as TaskCase;
  const { rig, silent, start, endOf, served } = await begin(of, HOLD_MS);
  rig.agents.before = (order) => (order.step === indexOf(of.plan, 'site.probe') ? silent.promise : undefined);
  const id = await start();
  await served(id);
  const { task, events } = await endOf(id);
  expect(task).toMatchObject({ state: 'failed', undoCause: 'failure', reason: expect.stringMatching(LATE) });
  const logs = events.flatMap(({ body }) => (body?.$case === 'log' ? [body.value.text] : []));
  expect(logs).toContain('visitors are served where they were before');
});

test('a cancel in the hold does not wait for a server that does not answer it', async () => {
  const of = hosts[0] as TaskCase;
  const { rig, silent, start, endOf, served } = await begin(of, 60_000);
  const probe = indexOf(of.plan, 'site.probe');
  silence(rig, probe - 1, silent.promise);
  const id = await start();
  await become(() => expect(rig.began).toContain(`do ${probe - 1}`));
  await rig.store.tasks.requestCancel(id);
  runner?.wake();
  await served(id);
  silent.resolve();
  expect((await endOf(id)).task).toMatchObject({ state: 'cancelled', undoCause: 'cancel' });
  expect(worldLines(rig.agents)).toEqual(of.undoneWorld);
});

test('a second cancel gives up what waits for new servers; visitors stay where they are served', async () => {
  const of = hosts[0] as TaskCase;
  const { rig, silent, start, endOf, served } = await begin(of, 10 * HOLD_MS);
  silence(rig, indexOf(of.plan, 'site.probe'), silent.promise);
  const id = await start();
  await served(id);
  await rig.store.tasks.requestCancel(id);
  const { task } = await endOf(id);
  expect(task).toMatchObject({ state: 'failed', reason: expect.stringMatching(/^given up, not undone whole: /) });
  // Of the graph nothing says that somebody works on it; the old place is as it was.
  expect((await rig.store.sites.find()).map(({ moving }) => moving)).toEqual([null]);
  expect(worldLines(rig.agents)).toEqual(expect.arrayContaining([...of.undoneWorld]));
});

test('a step that is to be tried again is not slept on past the end of the hold', async () => {
  const of = hosts[0] as TaskCase;
  const { rig, endOf } = await begin(of, HOLD_MS);
  rig.agents.before = (order) => {
    if (order.step === indexOf(of.plan, 'site.probe')) throw new AegirError('unavailable', 'cannot ask: not there');
  };
  const id = await rig.task(inShort(of.plan, HOLD_MS));
  runner = rig.runner('a', { firstBackoffMs: 60_000, maxBackoffMs: 60_000 });
  runner.start();
  expect((await endOf(id)).task).toMatchObject({ state: 'failed', reason: expect.stringMatching(LATE) });
});

test('an upgrade that takes longer is stopped, and what it did to the database goes when nobody can do more to it', async () => {
  const of = cases.find(({ name }) => name === 'migrate in place') as TaskCase;
  const { rig, start, endOf } = await begin(of, 10 * HOLD_MS);
  const upgrade = indexOf(of.plan, 'site.upgrade');
  rig.agents.before = (order, _, options) =>
    order.step === upgrade && order.id.includes('.do.') ? untilAborted(options) : undefined;
  const id = await start();
  expect((await endOf(id)).task).toMatchObject({ state: 'failed', reason: expect.stringMatching(LATE) });
  expect(worldLines(rig.agents)).toEqual(of.undoneWorld);
  const guard = rig.agents.asked.filter(({ id: order }) => order.includes(`.${indexOf(of.plan, 'db.guard')}.undo.`));
  expect(guard.map(({ act }) => act).slice(0, 2)).toEqual(['apply db', 'restoreDatabase']);
});
