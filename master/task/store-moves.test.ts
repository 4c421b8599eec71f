// A store is led to another place while nobody works at the old one or the new one; what was decided before finds out.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { graphOf, snapshot } from '../../test/records.ts';
import { placeOf } from '../graph/stores.ts';
import { planSetService } from '../plan/change-service.ts';
import type { ServiceRecord } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import { beingMade, made, storeOf } from './testing/backup-cases.ts';
import { type TaskCase, taskCases } from './testing/cases.ts';
import { createTaskRig, type TaskRig } from './testing/rig.ts';

const backing = taskCases(snapshot, graphOf).find(({ name }) => name === 'backup create') as TaskCase;
const OLD: ServiceRecord = storeOf(snapshot);
const TO = { settings: { root: '/srv/new' }, secrets: {} };
const PLACES = [placeOf(OLD), placeOf({ ...OLD, ...TO })].sort();
const FRESH = 'bak-9999999999999999';
let rig: TaskRig;

beforeEach(async () => {
  rig = await createTaskRig(backing.ground);
  for (const there of backing.world) rig.agents.world.add(there);
});
afterEach(() => rig.close());

/** backups: those that its asker saw there. */
function leadAway(backups: readonly BackupRecord[] = []): Promise<string> {
  const graph = graphOf({ services: backing.ground.services });
  return rig.task(planSetService(graph, OLD, TO, { backups, are: 'left' }));
}
const settings = async () => (await rig.store.services.get(OLD.id))?.settings;
const state = async (id: string) => (await rig.read(id)).task.state;
const step = (kind: string) => backing.plan.steps.findIndex((each) => each.kind === kind);

test('it waits for a backup that is being made, and holds both places alone then', async () => {
  const backup = await rig.task(backing.plan);
  let change = '';
  rig.onBegin = async (_, at) => {
    if (change === '' && at === step('backup.store')) change = await leadAway([made(beingMade(snapshot))]);
  };
  rig.waits.set(step('backup.ready'), Date.now() + 60_000);
  await rig.drive();
  expect([await state(backup), (await rig.read(change)).task]).toMatchObject([
    'waiting',
    {
      state: 'waiting',
      reason: `the store is in use by ${backup} (site.backup of example.org, waiting); see: aegir task show TASK`,
    },
  ]);
  expect(await settings()).toEqual({});
  rig.waits.clear();
  const held: string[] = [];
  rig.onBegin = async (direction, at) => {
    const modes = (await rig.store.storeHolds.find()).filter(({ taskId }) => taskId === change);
    if (direction === 'do' && at === 1) held.push(...modes.map(({ store, mode }) => `${store} ${mode}`));
  };
  rig.clock += 120_000;
  await rig.drive();
  rig.clock += 5_000;
  await rig.drive();
  expect([await state(backup), await state(change)]).toEqual(['succeeded', 'succeeded']);
  expect(held.sort()).toEqual(PLACES.map((place) => `${place} exclusive`));
  expect(await settings()).toEqual(TO.settings);
  expect(await rig.store.storeHolds.find()).toEqual([]);
});

test('a backup that was decided before goes nowhere, and its record goes', async () => {
  const change = await leadAway();
  await rig.drive();
  expect(await state(change)).toBe('succeeded');
  const backup = await rig.task(backing.plan);
  await rig.drive();
  expect((await rig.read(backup)).task).toMatchObject({
    state: 'failed',
    reason: 'cannot use db1/mesh: it keeps backups elsewhere since this was decided; ask for it anew',
  });
  expect(rig.agents.asked.filter(({ act }) => act === 'storeBackup')).toEqual([]);
  expect(await rig.store.backups.get(FRESH)).toBeUndefined();
});

test('backups that came since it was decided are not left behind unseen, and nothing is changed', async () => {
  const change = await leadAway();
  await rig.store.backups.update(FRESH, { state: 'ready' });
  await rig.drive();
  expect((await rig.read(change)).task).toMatchObject({
    state: 'failed',
    reason: expect.stringMatching(/^cannot record its settings: backups came to its place, or went/),
  });
  expect(await settings()).toEqual({});
  expect(await rig.store.storeHolds.find()).toEqual([]);
});

test('a backup whose bytes went to another place than its store has by now is not recorded as whole', async () => {
  const backup = await rig.task(backing.plan);
  rig.onBegin = async (direction, at) => {
    // As no task does: the second line.
    if (direction === 'do' && at === step('backup.ready')) await rig.store.services.update(OLD.id, TO);
  };
  await rig.drive();
  expect((await rig.read(backup)).task.reason).toMatch(/its store keeps backups elsewhere since it was brought there/);
  expect(await rig.store.backups.get(FRESH)).toMatchObject({ state: 'deleting' });
});
