// A step whose every attempt surely changed nothing is not undone; one that may have is, whatever a later attempt says.
import { afterEach, describe, expect, test } from 'vitest';
import { AegirError } from '../../shared/error.ts';
import { graphOf, snapshot } from '../../test/records.ts';
import { graphLines, taskCases } from './testing/cases.ts';
import { createTaskRig, LIMITS, type Mishap, type TaskRig } from './testing/rig.ts';

const install = taskCases(snapshot, graphOf).find(({ name }) => name === 'install');
const STEP = 1;
let rig: TaskRig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

const failure = (untouched: boolean, retryable = true) =>
  new AegirError('unavailable', 'cannot do it: not there; start it', { retryable, untouched });
const fails = (error: AegirError, left = 1): Mishap => ({ direction: 'do', step: STEP, error, left });

async function ended(mishaps: readonly Mishap[]) {
  if (install === undefined) throw new Error('there is no case install');
  rig = await createTaskRig(install.ground);
  rig.mishaps.push(...mishaps);
  const id = await rig.task(install.plan);
  await rig.drive();
  const { task } = await rig.read(id);
  const steps = await rig.store.steps.ofTask(id);
  expect(task.state).toBe('failed');
  expect(await graphLines(rig.store)).toEqual(install.undone);
  return { undone: rig.began.filter((each) => each.startsWith('undo ')), step: steps[STEP] };
}

describe('a step that failed', () => {
  test('without a change is skipped', async () => {
    const { undone, step } = await ended([fails(failure(true, false))]);
    expect(step?.state).toBe('skipped');
    expect(undone).toEqual(['undo 0']);
  });

  test('without a change in any attempt is skipped', async () => {
    const { undone, step } = await ended([fails(failure(true), LIMITS.attempts)]);
    expect(step).toMatchObject({ state: 'skipped', attempts: LIMITS.attempts });
    expect(undone).toEqual(['undo 0']);
  });

  test('after an earlier attempt that may have changed something is undone', async () => {
    const { undone, step } = await ended([fails(failure(false)), fails(failure(true), LIMITS.attempts - 1)]);
    expect(step?.state).toBe('undone');
    expect(undone).toEqual(['undo 1', 'undo 0']);
  });

  test('with a last attempt that may have changed something is undone', async () => {
    const { undone } = await ended([fails(failure(true), LIMITS.attempts - 1), fails(failure(false))]);
    expect(undone).toEqual(['undo 1', 'undo 0']);
  });
});
