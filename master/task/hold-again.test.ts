// Who keeps others from a store, and for how long: a site that is read slowly, tasks that are stuck, a prune that waits, agents
// that are silent. And that nobody who goes on works there beside one who removes.
import { afterEach, expect, test } from 'vitest';
import { AegirError } from '../../shared/error.ts';
import { graphOf, snapshot } from '../../test/records.ts';
import type { ActionOrder } from '../session/agents.ts';
import { TURN_MS, TURNS_MS } from './hold-again.ts';
import { holdStores, releaseStores } from './store-hold.ts';
import { type TaskCase, taskCases } from './testing/cases.ts';
import { Crash, createTaskRig, type TaskRig } from './testing/rig.ts';

const cases = taskCases(snapshot, graphOf);
const caseOf = (name: string) => cases.find((each) => each.name === name) as TaskCase;
const [BACKUP, RESTORE, PRUNE] = ['backup create', 'backup restore', 'store prune'].map(caseOf) as [
  TaskCase,
  TaskCase,
  TaskCase,
];
const PLACE = 'service/svc-0123456789abcdz1';
const stepOf = ({ plan }: TaskCase, kind: string) => plan.steps.findIndex((step) => step.kind === kind);
let rig: TaskRig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

/** Both plans on one ground: that of the first. */
async function ready(of: TaskCase): Promise<TaskRig> {
  const made = await createTaskRig(of.ground);
  rig = made;
  for (const there of of.world) made.agents.world.add(there);
  for (const [key, word] of Object.entries(of.kept ?? {})) made.agents.parts.kept.set(key, word);
  return made;
}
const task = async (of: TaskRig, id: string) => (await of.read(id)).task;
const held = async (of: TaskRig, taskId: string) =>
  (await of.store.storeHolds.find()).filter((hold) => hold.taskId === taskId).map(({ mode }) => mode);
const later = async (of: TaskRig, ms: number) => {
  of.clock += ms;
  await of.drive();
};
const acts = (of: TaskRig) => of.agents.asked.map(({ act }) => act);
const refused = (what: string) => new AegirError('failed_precondition', `cannot ${what}: it is broken`);
/** Without locks: the cases' own would keep them apart. */
const also = (of: TaskCase) => ({ ...of.plan, locks: [] });

test('a site that is read keeps no store: a prune goes meanwhile, and the backup is kept after it', async () => {
  const its = await ready(BACKUP);
  const read = Promise.withResolvers<void>();
  const reads = Promise.withResolvers<void>();
  its.agents.before = ({ request }) => {
    if (request.$case !== 'takeSnapshot' || request.value.part?.$case !== 'files') return;
    reads.resolve();
    return read.promise;
  };
  const backup = await its.task(BACKUP.plan);
  const driven = its.drive();
  await reads.promise;
  expect(await held(its, backup)).toEqual([]);
  const prune = await its.task(also(PRUNE));
  await its.drive();
  expect((await task(its, prune)).state).toBe('succeeded');
  read.resolve();
  await driven;
  expect((await task(its, backup)).state).toBe('succeeded');
  expect(acts(its).indexOf('storeBackup')).toBeGreaterThan(acts(its).indexOf('pruneStore'));
});

test('files that are read again keep no store while they are', async () => {
  const its = await ready(BACKUP);
  its.agents.parts.restless = 1;
  const modes: (readonly string[])[] = [];
  let backup = '';
  its.agents.before = async ({ request }: ActionOrder) => {
    if (request.$case === 'takeSnapshot' || request.$case === 'storeBackup') modes.push(await held(its, backup));
  };
  backup = await its.task(BACKUP.plan);
  await its.drive();
  expect((await task(its, backup)).state).toBe('succeeded');
  expect(modes).toEqual([[], [], ['shared'], [], ['shared']]);
});

test('a backup that is undone keeps no store while an agent is silent', async () => {
  const its = await ready(BACKUP);
  const silent = new AegirError('unavailable', 'cannot reach web1: its agent is silent', { retryable: true });
  its.mishaps.push({ direction: 'do', step: stepOf(BACKUP, 'backup.store'), left: 1, error: refused('keep it') });
  its.agents.before = ({ request }) => {
    if (request.$case === 'dropSnapshot' && its.clock === 0) throw silent;
  };
  const backup = await its.task(BACKUP.plan);
  const runner = its.runner('a');
  runner.start();
  try {
    await expect.poll(() => acts(its).filter((act) => act === 'dropSnapshot').length).toBeGreaterThan(2);
    expect((await task(its, backup)).state).toBe('undoing');
    expect(await held(its, backup)).toEqual([]);
    its.clock = 1;
    await expect.poll(async () => (await task(its, backup)).state).toBe('failed');
  } finally {
    await runner.stop();
  }
});

test('a restore that is stuck keeps no store; a prune leaves what it needs, and it holds the store again to go on', async () => {
  const its = await ready(RESTORE);
  const broken = stepOf(RESTORE, 'restore.files');
  its.mishaps.push(
    { direction: 'do', step: broken, left: 1, error: refused('restore them') },
    { direction: 'undo', step: broken, left: 1, error: refused('bring them back') },
  );
  const restore = await its.task(RESTORE.plan);
  await its.drive();
  expect((await task(its, restore)).state).toBe('stuck');
  // What it would go on with is locked for whoever removes backups.
  expect(RESTORE.plan.locks).toEqual(
    expect.arrayContaining(['backup/bak-9999999999999999', 'backup/bak-0123456789abcde1']),
  );
  const prune = await its.task(also(PRUNE));
  its.waits.set(stepOf(PRUNE, 'store.prune'), Date.now() + 60_000);
  await its.drive();
  expect(await held(its, prune)).toEqual(['exclusive']);
  expect(await held(its, restore)).toEqual([]);

  // A person has it go on while the store is pruned: it waits for that, and is undone whole then.
  expect(await its.store.tasks.unstick(restore)).toBe(true);
  const runner = its.runner('a');
  runner.start();
  try {
    const offers = () => acts(its).filter((act) => act === 'offerPart').length;
    const before = offers();
    await expect
      .poll(async () => (await its.store.steps.ofTask(restore))[broken]?.error)
      .toContain(`cannot use the store yet: ${prune} (store.prune of db1/mesh, waiting)`);
    expect(offers()).toBe(before);
    its.waits.clear();
    its.clock += 120_000;
    await expect.poll(async () => (await task(its, prune)).state, { timeout: 10_000 }).toBe('succeeded');
    await expect.poll(async () => (await task(its, restore)).state, { timeout: 10_000 }).toBe('failed');
  } finally {
    await runner.stop();
  }
  expect(
    [...its.agents.world].filter((line) => / (files|database) of /.test(line)).every((line) => /new$/.test(line)),
  ).toBe(true);
  expect(await its.store.storeHolds.find()).toEqual([]);
});

test('a prune that failed of its store keeps nobody from it; tried again, it waits for them first', async () => {
  const its = await ready(PRUNE);
  const { carryOut } = its.agents.parts;
  let whole = false;
  its.agents.parts.carryOut = (world, serverId, order) => {
    if (order.request.$case === 'pruneStore' && !whole)
      throw new AegirError('data_loss', 'cannot prune: it is damaged');
    return carryOut(world, serverId, order);
  };
  const prune = await its.task(PRUNE.plan);
  await its.drive();
  expect(await task(its, prune)).toMatchObject({ state: 'stuck', reason: 'cannot prune: it is damaged' });
  expect(await held(its, prune)).toEqual([]);
  const other = await its.task({ ...also(PRUNE), verb: 'backup.verify' }, { state: 'waiting' });
  expect(await holdStores(its.store, other, { places: [PLACE], mode: 'shared' })).toEqual([]);

  whole = true;
  expect(await its.store.tasks.unstick(prune)).toBe(true);
  await its.drive();
  expect(await task(its, prune)).toMatchObject({
    state: 'waiting',
    reason: `the store is in use by ${other} (backup.verify of db1/mesh, waiting); see: aegir task show TASK`,
  });
  await releaseStores(its.store, other, [PLACE]);
  its.crashAt = { name: 'task.step.done:store.prune', left: 1 };
  await expect(later(its, 3000)).rejects.toThrow(Crash);
  expect(await held(its, prune)).toEqual(['exclusive']);
  await its.restart();
  await its.drive();
  expect((await task(its, prune)).state).toBe('succeeded');
  expect(await its.store.storeHolds.find()).toEqual([]);
});

test('a prune whose agent never answered may still remove: it keeps the store, and who waits is told what to do', async () => {
  const its = await ready(BACKUP);
  its.agents.before = ({ request }) => {
    if (request.$case === 'pruneStore') throw new AegirError('unavailable', 'cannot reach db1: its agent is silent');
  };
  const prune = await its.task(also(PRUNE));
  await its.drive();
  expect((await task(its, prune)).state).toBe('stuck');
  const backup = await its.task(BACKUP.plan);
  await its.drive();
  expect((await task(its, backup)).reason).toBe(
    `the store is in use by ${prune} (store.prune of db1/mesh, it is stuck: aegir task retry ${prune}, or aegir task cancel ${prune})`,
  );
  await its.store.tasks.requestCancel(prune);
  await its.store.tasks.unstick(prune);
  await later(its, 3000);
  expect((await task(its, prune)).state).toBe('failed');
  await later(its, 3000);
  expect((await task(its, backup)).state).toBe('succeeded');
});

test('a prune that waits keeps others back for some minutes, lets them pass then, and has its turn again', async () => {
  const its = await ready(BACKUP);
  const slow = await its.task({ ...also(BACKUP), verb: 'backup.verify' }, { state: 'waiting' });
  await holdStores(its.store, slow, { places: [PLACE], mode: 'shared' });
  const prune = await its.task(also(PRUNE));
  await its.drive();
  expect(await held(its, prune)).toEqual(['wanted']);
  const backup = await its.task(BACKUP.plan);
  await its.drive();
  expect(await task(its, backup)).toMatchObject({ state: 'waiting', reason: expect.stringContaining(prune) });

  await later(its, TURN_MS);
  await later(its, 3000);
  expect(await held(its, prune)).toEqual([]);
  expect(await task(its, prune)).toMatchObject({
    state: 'waiting',
    reason: expect.stringMatching(new RegExp(`in use by ${slow} .*; others may pass meanwhile$`)),
  });
  expect((await task(its, backup)).state).toBe('succeeded');

  await later(its, TURNS_MS - TURN_MS);
  expect(await held(its, prune)).toEqual(['wanted']);
  await releaseStores(its.store, slow, [PLACE]);
  await later(its, 3000);
  expect((await task(its, prune)).state).toBe('succeeded');
});
