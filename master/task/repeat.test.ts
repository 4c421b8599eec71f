// Every task, killed at every boundary: the next runner does the same actions again under the same ids, and all ends as
// if nothing had happened.
import { afterEach, describe, expect, test } from 'vitest';
import { graphOf, snapshot } from '../../test/records.ts';
import { isSettled } from './settled.ts';
import { graphLines, type TaskCase, taskCases, worldLines } from './testing/cases.ts';
import { Crash, createTaskRig, type TaskRig } from './testing/rig.ts';
import { createScriptCertificates } from './testing/script-certificates.ts';
import { gapsIn } from './testing/story.ts';

const cases = taskCases(snapshot, graphOf);
let rig: TaskRig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

async function fresh(of: TaskCase): Promise<TaskRig> {
  await rig?.close();
  rig = await createTaskRig(of.ground);
  for (const there of of.world) rig.agents.world.add(there);
  for (const [key, word] of Object.entries(of.kept ?? {})) rig.agents.parts.kept.set(key, word);
  return rig;
}

/** Boundaries as name and count. */
function counted(reached: readonly string[]): { name: string; left: number }[] {
  return reached.map((name, i) => ({ name, left: reached.slice(0, i + 1).filter((each) => each === name).length }));
}

test('the cases have every kind of step', async () => {
  const rig = await fresh(cases[0] as TaskCase);
  const planned = new Set(cases.flatMap(({ plan }) => plan.steps.map((step) => step.kind as string)));
  await rig.task((cases[0] as TaskCase).plan);
  const { createHandlers } = await import('./handlers/handlers.ts');
  const all = Object.keys(
    createHandlers({
      store: rig.store,
      agents: rig.agents,
      unseal: String,
      now: Date.now,
      certificates: createScriptCertificates(),
      graph: async () => graphOf(),
      knock: async () => 'open',
    }),
  );
  expect([...planned].sort()).toEqual(all.sort());
});

describe.each(cases)('$name', (of) => {
  test('does what it says', async () => {
    const rig = await fresh(of);
    const id = await rig.task(of.plan);
    await rig.drive();
    const told = await rig.read(id);
    expect(told.task).toMatchObject({ state: 'succeeded', reason: '', leaseOwner: null, undoCause: null });
    expect(told.steps.map((step) => [step.state, step.attempts])).toEqual(of.plan.steps.map(() => ['done', 1]));
    expect(gapsIn(told)).toEqual([]);
    expect(await graphLines(rig.store)).toEqual(of.done);
    expect(worldLines(rig.agents)).toEqual(of.doneWorld);
    expect([...rig.agents.acknowledged]).toEqual(rig.agents.asked.map(({ id }) => id));
    expect(rig.lost).toEqual([]);
  });

  test('killed at every boundary in turn, it goes on', async () => {
    let rig = await fresh(of);
    await rig.task(of.plan);
    await rig.drive();
    const whole = rig.agents.asked.map(({ id }) => id);
    rig = await fresh(of);
    const id = await rig.task(of.plan);
    // Each step's three boundaries, and the task's two.
    expect(await rig.driveThroughCrashes()).toBe(2 + 3 * of.plan.steps.length);
    const told = await rig.read(id);
    expect(told.task.state).toBe('succeeded');
    expect(told.steps.map((step) => step.attempts)).toEqual(of.plan.steps.map(() => 1));
    expect(gapsIn(told)).toEqual([]);
    expect([...new Set(rig.agents.asked.map((one) => one.id))]).toEqual(whole);
    expect(await graphLines(rig.store)).toEqual(of.done);
    expect(worldLines(rig.agents)).toEqual(of.doneWorld);
  });
});

// Each boundary by itself, for the two tasks that make and remove sites.
describe.each(cases.filter(({ name }) => name === 'install' || name === 'delete'))('$name', (of) => {
  test('killed at any boundary, it goes on', { timeout: 30_000 }, async () => {
    let rig = await fresh(of);
    await rig.task(of.plan);
    await rig.drive();
    const whole = rig.agents.asked.map(({ id, act, resource }) => `${id} ${act} ${resource}`);
    const boundaries = counted(rig.reached);
    expect(boundaries.length).toBe(2 + 3 * of.plan.steps.length);
    for (const crashAt of boundaries) {
      const where = `${crashAt.name}#${crashAt.left}`;
      rig = await fresh(of);
      const id = await rig.task(of.plan);
      rig.crashAt = crashAt;
      await expect(rig.drive(), where).rejects.toThrow(Crash);
      await rig.restart();
      await rig.drive();
      const told = await rig.read(id);
      expect(told.task.state, where).toBe('succeeded');
      expect(
        told.steps.map((step) => step.attempts),
        where,
      ).toEqual(of.plan.steps.map(() => 1));
      expect(gapsIn(told), where).toEqual([]);
      expect(await graphLines(rig.store), where).toEqual(of.done);
      expect(worldLines(rig.agents), where).toEqual(of.doneWorld);
      const { asked } = rig.agents;
      expect([...new Set(asked.map((one) => `${one.id} ${one.act} ${one.resource}`))], where).toEqual(whole);
      for (const [i, one] of asked.entries()) {
        const before = asked[i - 1];
        // A repeat is fenced: it carries the newer lease's generation.
        if (before?.id === one.id) expect(one.generation, where).toBeGreaterThan(before.generation);
        expect(rig.agents.acknowledged.has(one.id) || (await isSettled(rig.store, one.id)), where).toBe(true);
      }
    }
  });
});
