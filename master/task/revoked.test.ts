// A server that is revoked in the middle of a task: the task fails there, what it did elsewhere is undone, and it does not stand in
// the way of others for what nobody can undo any more.
import { afterEach, expect, test } from 'vitest';
import { graphOf, snapshot } from '../../test/records.ts';
import { taskCases } from './testing/cases.ts';
import { createTaskRig, type TaskRig } from './testing/rig.ts';

const cases = taskCases(snapshot, graphOf).filter(({ name }) =>
  ['install', 'backup create', 'backup restore as another site'].includes(name),
);
let rig: TaskRig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

test.each(cases)('$name: ends, and what is elsewhere is undone', async ({ plan, ground, world, kept = {} }) => {
  const made = await createTaskRig(ground);
  rig = made;
  for (const there of world) made.agents.world.add(there);
  for (const [key, word] of Object.entries(kept)) made.agents.parts.kept.set(key, word);
  const at = plan.steps.findLastIndex(({ serverId }) => serverId !== null);
  const gone = plan.steps[at]?.serverId ?? '';
  made.onBegin = async (direction, step) => {
    if (direction === 'do' && step === at) await made.store.servers.update(gone, { state: 'revoked' });
  };
  const id = await made.task(plan);
  await made.drive();
  const { task, steps, events } = await made.read(id);
  expect(task).toMatchObject({ state: 'failed', reason: expect.stringMatching(/it was revoked/) });
  expect(steps.filter(({ state }) => !['undone', 'skipped', 'pending'].includes(state))).toEqual([]);
  const said = events.flatMap(({ body }) => (body?.$case === 'log' ? [body.value.text] : []));
  expect(said).toContainEqual(expect.stringMatching(/ was revoked: what this task did there stays$/));
});
