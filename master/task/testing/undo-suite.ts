// The suite: every step of every task failed, for good or for a while, and every undo failed: what was begun is undone in reverse
// order, or the task is stuck and says why; a crash at any boundary of undoing changes nothing of that.
import { describe, expect, test } from 'vitest';
import { AegirError } from '../../../shared/error.ts';
import { graphLines, type TaskCase, worldLines } from './cases.ts';
import { createTaskRig, LIMITS, type Mishap, type TaskRig } from './rig.ts';
import { gapsIn, turnsOf } from './story.ts';

/** Runs of every failure grow with the square of a plan's steps: those of longer ones take half a minute and more. */
const FEW = 8;
export const isShort = ({ plan }: TaskCase): boolean => plan.steps.length <= FEW;

export const refused = (what: string) =>
  new AegirError('failed_precondition', `cannot do ${what}: it is full; make room`);
const passing = (what: string) => new AegirError('unavailable', `cannot do ${what}: not there; start it`);
let rig: TaskRig | undefined;

export async function closeRig(): Promise<void> {
  await rig?.close();
  rig = undefined;
}

export async function started(of: TaskCase, mishaps: readonly Mishap[]): Promise<{ rig: TaskRig; id: string }> {
  await rig?.close();
  rig = await createTaskRig(of.ground);
  for (const there of of.world) rig.agents.world.add(there);
  for (const [key, word] of Object.entries(of.kept ?? {})) rig.agents.parts.kept.set(key, word);
  rig.mishaps.push(...mishaps);
  return { rig, id: await rig.task(of.plan) };
}

export const mishap = (direction: 'do' | 'undo', step: number, error: AegirError, left = 1): Mishap => ({
  ...{ direction, step, error, left },
});
const returns = ({ plan }: TaskCase, step: number) => plan.pointOfNoReturn === null || step < plan.pointOfNoReturn;
const undoes = ({ plan }: TaskCase, step: number) => 'summary' in (plan.steps[step]?.undo ?? {});
const steps = ({ plan }: TaskCase) => plan.steps.map((_, step) => step);
/** The last step whose failure undoes the task. */
const lastBack = (of: TaskCase) => steps(of).findLast((step) => returns(of, step)) ?? 0;

/** As the plan declares it: every undo that has something to say ran, once, last first. */
function expectUndone(of: TaskCase, began: readonly string[], failedAt: number): void {
  const undone = began.filter((each) => each.startsWith('undo ')).map((each) => Number(each.slice(5)));
  expect(undone).toEqual([...undone].sort((a, b) => b - a));
  for (const step of steps(of)) if (step <= failedAt && undoes(of, step)) expect(undone).toContain(step);
  expect(undone.filter((step) => step > failedAt)).toEqual([]);
}

export function describeUndoing(cases: readonly TaskCase[]): void {
  describe.each(cases)('$name', (of) => {
    test('failed for good at any step', async () => {
      for (const step of steps(of)) {
        const error = refused(`step ${step}`);
        const { rig, id } = await started(of, [mishap('do', step, error)]);
        await rig.drive();
        let told = await rig.read(id);
        if (returns(of, step)) {
          expect(told.task).toMatchObject({ state: 'failed', reason: error.message, undoCause: 'failure' });
          expectUndone(of, rig.began, step);
          expect(await graphLines(rig.store)).toEqual(of.undone);
          expect(worldLines(rig.agents)).toEqual(of.undoneWorld);
          expect(turnsOf(told.events, step)[1]).toMatchObject({ to: 'failed', reason: error.message });
        } else {
          expect(told.task).toMatchObject({ state: 'stuck', reason: error.message, undoCause: null });
          expect(rig.began.filter((each) => each.startsWith('undo'))).toEqual([]);
          expect(await rig.store.tasks.unstick(id)).toBe(true);
          await rig.drive();
          told = await rig.read(id);
          expect(told.task).toMatchObject({ state: 'succeeded', reason: '' });
          expect(await graphLines(rig.store)).toEqual(of.done);
          expect(worldLines(rig.agents)).toEqual(of.doneWorld);
        }
        expect(gapsIn(told), `step ${step}`).toEqual([]);
        // A definite end is the end of an action: what comes after has another id.
        expect(new Set(rig.agents.asked.map((one) => one.id)).size).toBe(rig.agents.asked.length);
      }
    });

    test('failed for a while at every step', async () => {
      const mishaps = steps(of).map((step) => mishap('do', step, passing(`step ${step}`), LIMITS.attempts - 1));
      const { rig, id } = await started(of, mishaps);
      await rig.drive();
      const told = await rig.read(id);
      expect(told.task).toMatchObject({ state: 'succeeded', reason: '' });
      for (const step of told.steps)
        expect(step).toMatchObject({ state: 'done', attempts: LIMITS.attempts, error: '' });
      expect(gapsIn(told)).toEqual([]);
      expect(await graphLines(rig.store)).toEqual(of.done);
      expect(worldLines(rig.agents)).toEqual(of.doneWorld);
      const again = told.events.filter(
        (event) => event.body?.$case === 'log' && /trying again/.test(event.body.value.text),
      );
      expect(again).toHaveLength(mishaps.length * (LIMITS.attempts - 1));
      expect(new Set(rig.agents.asked.map((one) => one.id)).size).toBe(rig.agents.asked.length);
    });

    test('failed for too long at its last step', async () => {
      const step = of.plan.steps.length - 1;
      const { rig, id } = await started(of, [mishap('do', step, passing(`step ${step}`), 1000)]);
      await rig.drive();
      const told = await rig.read(id);
      expect(told.task.state).toBe(returns(of, step) ? 'failed' : 'stuck');
      expect(told.steps[step]?.attempts).toBe(LIMITS.attempts);
      expect(gapsIn(told)).toEqual([]);
      if (returns(of, step)) expect(worldLines(rig.agents)).toEqual(of.undoneWorld);
    });

    test('killed at every boundary while it undoes, it goes on undoing', async () => {
      const error = refused('the last step');
      const whole = await started(of, [mishap('do', lastBack(of), error)]);
      await whole.rig.drive();
      const asked = whole.rig.agents.asked.map((one) => one.id);
      const undos = whole.rig.reached.filter((name) => name.startsWith('task.undo.')).length;
      const { rig, id } = await started(of, [mishap('do', lastBack(of), error)]);
      expect(await rig.driveThroughCrashes()).toBeGreaterThanOrEqual(undos);
      const told = await rig.read(id);
      expect(told.task).toMatchObject({ state: 'failed', reason: error.message });
      expect(gapsIn(told)).toEqual([]);
      expect([...new Set(rig.agents.asked.map((one) => one.id))]).toEqual(asked);
      expect(await graphLines(rig.store)).toEqual(of.undone);
      expect(worldLines(rig.agents)).toEqual(of.undoneWorld);
    });

    test('every undo failed for good: stuck each time, until a person says go on', async () => {
      const undos = steps(of).filter((step) => step <= lastBack(of) && undoes(of, step));
      const error = refused('the last step');
      const { rig, id } = await started(of, [
        mishap('do', lastBack(of), error),
        ...undos.map((step) => mishap('undo', step, refused(`undo of step ${step}`))),
      ]);
      await rig.drive();
      for (const step of undos.toReversed()) {
        const reason = `cannot undo: ${refused(`undo of step ${step}`).message}`;
        expect((await rig.read(id)).task).toMatchObject({ state: 'stuck', reason, leaseOwner: null });
        expect(await rig.store.tasks.unstick(id)).toBe(true);
        await rig.drive();
      }
      const told = await rig.read(id);
      expect(told.task).toMatchObject({ state: 'failed', reason: error.message });
      for (const step of undos) expect(told.steps[step]).toMatchObject({ state: 'undone', undoAttempts: 2 });
      expect(gapsIn(told)).toEqual([]);
      expect(await graphLines(rig.store)).toEqual(of.undone);
      expect(worldLines(rig.agents)).toEqual(of.undoneWorld);
    });

    test('an undo that goes on failing is given up by a cancel; the records say so, the locks are free', async () => {
      for (const step of steps(of).filter((each) => each <= lastBack(of) && undoes(of, each))) {
        const error = refused(`undo of step ${step}`);
        const { rig, id } = await started(of, [
          mishap('do', lastBack(of), refused('the last step')),
          mishap('undo', step, error, 2),
        ]);
        await rig.drive();
        await rig.store.tasks.requestCancel(id);
        await rig.store.tasks.unstick(id);
        await rig.drive();
        const told = await rig.read(id);
        expect(told.task).toMatchObject({ state: 'failed', reason: `given up, not undone whole: ${error.message}` });
        expect(gapsIn(told), `step ${step}`).toEqual([]);
        // Nobody works on the site any more, so it must not say so.
        const sites = await rig.store.sites.find();
        expect(sites.filter((site) => site.state === 'installing' || site.state === 'deleting')).toEqual([]);
        const next = await rig.task(of.plan);
        const claimed = await rig.store.tasks.claim('next', Date.now(), 1000, 10);
        expect(claimed.map((task) => task.id)).toEqual([next]);
      }
    });

    test('every undo failed for a while: it is tried until it is done', async () => {
      const undos = steps(of).filter((step) => step <= lastBack(of) && undoes(of, step));
      const { rig, id } = await started(of, [
        mishap('do', lastBack(of), refused('the last step')),
        ...undos.map((step) => mishap('undo', step, passing('the undo'), LIMITS.attempts + 2)),
      ]);
      await rig.drive();
      const told = await rig.read(id);
      expect(told.task.state).toBe('failed');
      for (const step of undos)
        expect(told.steps[step]).toMatchObject({ state: 'undone', undoAttempts: LIMITS.attempts + 3 });
      expect(gapsIn(told)).toEqual([]);
      expect(await graphLines(rig.store)).toEqual(of.undone);
      expect(worldLines(rig.agents)).toEqual(of.undoneWorld);
    });
  });
}
