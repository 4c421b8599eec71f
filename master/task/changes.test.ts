// A database that follows by parts of what changed: each round goes on where the last one ended, and where a change does not
// fit, or cannot be had, the database is copied as visitors wait, and nothing of the following is left.
import { afterEach, expect, test } from 'vitest';
import { graphOf, snapshot } from '../../test/records.ts';
import type { ActionOrder } from '../session/agents.ts';
import { taskCases, worldLines } from './testing/cases.ts';
import { createTaskRig, type TaskRig } from './testing/rig.ts';

const NAME = 'migrate with its database, followed by parts';
let rig: TaskRig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

async function moved(unfit: readonly number[]) {
  const of = taskCases(snapshot, graphOf).find(({ name }) => name === NAME);
  if (of === undefined) throw new Error(`there is no case ${NAME}`);
  rig = await createTaskRig(of.ground);
  for (const there of of.world) rig.agents.world.add(there);
  rig.agents.parts.unfit = unfit;
  const asked: ActionOrder['request'][] = [];
  rig.agents.before = ({ request }) => void asked.push(request);
  const id = await rig.task(of.plan);
  await rig.drive();
  expect((await rig.read(id)).task).toMatchObject({ state: 'succeeded', reason: '' });
  expect(worldLines(rig.agents)).toEqual(of.doneWorld);
  return {
    copies: asked.filter(({ $case }) => $case === 'restoreDatabase').length,
    since: asked.flatMap((request) =>
      request.$case === 'takeSnapshot' && request.value.part?.$case === 'changes'
        ? [request.value.part.value.position]
        : [],
    ),
    unplaced: asked.flatMap((request) =>
      request.$case === 'takeSnapshot' && request.value.part?.$case === 'database'
        ? [request.value.part.value.withoutPosition]
        : [],
    ),
    from: asked.flatMap((request) => (request.$case === 'applyChanges' ? [request.value.from] : [])),
  };
}

test('each round goes on where the last one ended, of one dump', async () => {
  const { copies, since, from, unplaced } = await moved([]);
  expect(copies).toBe(1);
  expect(unplaced).toEqual([false]);
  expect(since).toEqual(['log.1:1', 'log.1:2', 'log.1:3']);
  expect(from).toEqual(['log.1:1', 'log.1:1', 'log.1:1']);
});

test.each([1, 2, 3])('a change of round %i that does not fit has it copied', async (round) => {
  const { copies, since, unplaced } = await moved([round]);
  // Nothing follows from the last copy: its place in the log is not asked for.
  expect(unplaced).toEqual([false, true]);
  expect(since).toHaveLength(round);
  // A round more before visitors wait is left out: the first one had little to bring.
  expect(copies).toBe(2);
});
