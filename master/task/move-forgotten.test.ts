// A platform that was forgotten while a site moves: what the move takes away it takes away without that record, so that a move
// which is stuck there can be tried again, and one that fails is undone whole.
import { afterEach, expect, test } from 'vitest';
import { graphOf, snapshot } from '../../test/records.ts';
import type { Place } from '../plan/plan.ts';
import { type TaskCase, taskCases, worldLines } from './testing/cases.ts';
import { createTaskRig, type TaskRig } from './testing/rig.ts';

const moves = taskCases(snapshot, graphOf).filter(({ plan }) => plan.verb === 'site.migrate');
const move = moves.find(({ plan }) => plan.steps.some(({ kind }) => kind === 'site.remove')) as TaskCase;
const at = (kind: string) => move.plan.steps.findIndex((step) => step.kind === kind);
const place = move.plan.steps[at('site.place')]?.args as unknown as { readonly to: Place; readonly before: Place };
let rig: TaskRig;
afterEach(() => rig?.close());

async function begun(): Promise<string> {
  rig = await createTaskRig(move.ground);
  for (const there of move.world) rig.agents.world.add(there);
  for (const [key, word] of Object.entries(move.kept ?? {})) rig.agents.parts.kept.set(key, word);
  return rig.task(move.plan);
}

test('that of the old place: its files and settings go all the same', async () => {
  const id = await begun();
  rig.onBegin = async (direction, step) => {
    if (direction === 'do' && step === at('site.remove')) await rig.store.platforms.delete(place.before.platformId);
  };
  await rig.drive();
  expect((await rig.read(id)).task).toMatchObject({ state: 'succeeded', reason: '' });
  expect(worldLines(rig.agents)).toEqual(move.doneWorld);
});

test('that of the new place: the move fails, and is undone whole', async () => {
  const id = await begun();
  const last = move.plan.steps.findLastIndex(({ kind }) => kind === 'copy.files');
  rig.onBegin = async (direction, step) => {
    if (direction === 'do' && step === last) await rig.store.platforms.delete(place.to.platformId);
  };
  await rig.drive();
  expect((await rig.read(id)).task).toMatchObject({
    ...{ state: 'failed', reason: `cannot go on: platform ${place.to.platformId} is not there any more` },
  });
  expect(worldLines(rig.agents)).toEqual(move.undoneWorld);
});
