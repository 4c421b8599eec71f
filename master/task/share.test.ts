// A share that several servers name: all are asked, and each that does not see the one tree is named.
import { afterEach, expect, test } from 'vitest';
import { graphOf, snapshot } from '../../test/records.ts';
import { type TaskCase, taskCases, worldLines } from './testing/cases.ts';
import { createTaskRig, type TaskRig } from './testing/rig.ts';

let rig: TaskRig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

test('a server that sees another tree is named, and the token is taken back', async () => {
  const of = taskCases(snapshot, graphOf).find(({ name }) => name === 'service verify') as TaskCase;
  const its = await createTaskRig(of.ground);
  rig = its;
  its.agents.before = ({ request }) => {
    if (request.$case !== 'probeShare' || request.value.verb !== 'look') return;
    for (const there of its.agents.world) if (there.startsWith('token ')) its.agents.world.delete(there);
  };
  const id = await its.task(of.plan);
  await its.drive();
  const { task, steps } = await its.read(id);
  expect([task.state, task.reason]).toEqual([
    'failed',
    'cannot call share nas one tree: db1/mount:nas: seen by svc-0123456789abcdf2',
  ]);
  expect(steps.find(({ kind }) => kind === 'share.look')?.state).toMatch(/done|undone|skipped/);
  expect(worldLines(its.agents)).toEqual([]);
});
