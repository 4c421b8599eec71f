// Every task, killed at every boundary: the next runner does the same actions again under the same ids, and all ends as
// if nothing had happened.
import { describe, expect, test } from 'vitest';
import { graphLines, type TaskCase, worldLines } from './cases.ts';
import { createTaskRig, type TaskRig } from './rig.ts';
import { gapsIn } from './story.ts';

let rig: TaskRig | undefined;

export async function closeRig(): Promise<void> {
  await rig?.close();
  rig = undefined;
}

export async function fresh(of: TaskCase): Promise<TaskRig> {
  await rig?.close();
  rig = await createTaskRig(of.ground);
  for (const there of of.world) rig.agents.world.add(there);
  for (const [key, word] of Object.entries(of.kept ?? {})) rig.agents.parts.kept.set(key, word);
  return rig;
}

/** Boundaries as name and count. */
export function counted(reached: readonly string[]): { name: string; left: number }[] {
  return reached.map((name, i) => ({ name, left: reached.slice(0, i + 1).filter((each) => each === name).length }));
}

export function describeRepeating(cases: readonly TaskCase[]): void {
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
}
