// Every short task, killed at every boundary; see testing/repeat-suite.ts. Long ones have a test of their own.
import { afterEach, describe, expect, test } from 'vitest';
import { graphOf, snapshot } from '../../test/records.ts';
import { isSettled } from './settled.ts';
import { graphLines, type TaskCase, taskCases, worldLines } from './testing/cases.ts';
import { closeRig, counted, describeRepeating, fresh } from './testing/repeat-suite.ts';
import { Crash } from './testing/rig.ts';
import { createScriptCertificates } from './testing/script-certificates.ts';
import { gapsIn } from './testing/story.ts';
import { isShort } from './testing/undo-suite.ts';

const cases = taskCases(snapshot, graphOf);
afterEach(closeRig);

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

describeRepeating(cases.filter(isShort));

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
