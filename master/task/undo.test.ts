// Every step of every short task failed, undone, given up; see testing/undo-suite.ts. Long ones have a test of their own.
import { afterEach, expect, test } from 'vitest';
import { graphOf, snapshot } from '../../test/records.ts';
import { graphLines, type TaskCase, taskCases } from './testing/cases.ts';
import { Crash } from './testing/rig.ts';
import { gapsIn } from './testing/story.ts';
import { closeRig, describeUndoing, isShort, mishap, refused, started } from './testing/undo-suite.ts';

const [install, ...others] = taskCases(snapshot, graphOf);
// The install, for all its steps: it is what everything else leans on.
const shortCases = [install as TaskCase, ...others.filter(isShort)];
afterEach(closeRig);

describeUndoing(shortCases);

test('a step that failed is not done again when the master dies before it says that it undoes', async () => {
  const of = install as TaskCase;
  const { rig, id } = await started(of, [mishap('do', 3, refused('step 3'))]);
  const { update } = rig.store.tasks;
  (rig.store.tasks as { update: typeof update }).update = async (taskId, epoch, patch) => {
    if (patch.state === 'undoing') throw new Crash('before undoing is durable');
    await update(taskId, epoch, patch);
  };
  await expect(rig.drive()).rejects.toThrow(Crash);
  (rig.store.tasks as { update: typeof update }).update = update;
  await rig.restart();
  await rig.drive();
  const told = await rig.read(id);
  expect(told.task).toMatchObject({ state: 'failed', reason: refused('step 3').message });
  expect(rig.began.filter((each) => each === 'do 3')).toHaveLength(1);
  expect(gapsIn(told)).toEqual([]);
  expect(await graphLines(rig.store)).toEqual(of.undone);
});
