// Whether a database followed the old one is told to whoever moved the site: once, and not where it was copied instead.
import { afterEach, expect, test } from 'vitest';
import { graphOf, snapshot } from '../../test/records.ts';
import { type TaskCase, taskCases } from './testing/cases.ts';
import { KEEPS_NO_LOG } from './testing/script-moves.ts';
import { closeRig, started } from './testing/undo-suite.ts';

const cases = taskCases(snapshot, graphOf).filter(({ name }) => name.startsWith('migrate with its database, followed'));
afterEach(closeRig);

async function toldOf(of: TaskCase) {
  const { rig, id } = await started(of, []);
  await rig.drive();
  const { task, events } = await rig.read(id);
  expect([task.state, task.reason]).toEqual(['succeeded', '']);
  return events.flatMap(({ body }) => {
    const isTold =
      (body?.$case === 'message' && body.value.kind === 'note') ||
      (body?.$case === 'log' && body.value.level === 'warn');
    return isTold ? [body.value.text] : [];
  });
}

test('both ways of following are tried', () => expect(cases).toHaveLength(2));

test.each(cases)('$name', async (of) => {
  expect(await toldOf(of)).toEqual([expect.stringMatching(/^the database followed: /)]);
  expect(await toldOf({ ...of, world: [...of.world, KEEPS_NO_LOG] })).toEqual([
    expect.stringMatching(
      /^the database cannot be followed, so visitors wait for a last copy of it: .* no binary log$/,
    ),
  ]);
});
