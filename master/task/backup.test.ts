// What backups promise beyond what every task does: files that change are read again, grants are renewed, drills leave
// the site alone and say what they found, half a backup is named until it is pruned, and stores have one remover.
import { afterEach, describe, expect, test } from 'vitest';
import { AegirError } from '../../shared/error.ts';
import { graphOf, ids, snapshot } from '../../test/records.ts';
import type { ActionOrder } from '../session/agents.ts';
import { holdStores, releaseStores } from './store-hold.ts';
import { type TaskCase, taskCases, worldLines } from './testing/cases.ts';
import { createTaskRig, type TaskRig } from './testing/rig.ts';

const cases = taskCases(snapshot, graphOf);
const FRESH = 'bak-9999999999999999';
const OLD = 'bak-0123456789abcde1';
let rig: TaskRig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

async function ready(name: string): Promise<{ rig: TaskRig; of: TaskCase; id: string }> {
  const of = cases.find((each) => each.name === name);
  if (of === undefined) throw new Error(`there is no case ${name}`);
  await rig?.close();
  rig = await createTaskRig(of.ground);
  for (const there of of.world) rig.agents.world.add(there);
  for (const [key, word] of Object.entries(of.kept ?? {})) rig.agents.parts.kept.set(key, word);
  return { rig, of, id: await rig.task(of.plan) };
}

const acts = (rig: TaskRig) => rig.agents.asked.map(({ act }) => act);
const count = (rig: TaskRig, act: string) => acts(rig).filter((each) => each === act).length;

describe('a backup', () => {
  test('keeps what the site was, the database before the files, and says so', async () => {
    const { rig, id } = await ready('backup create');
    const asked: ActionOrder['request'][] = [];
    rig.agents.before = ({ request }) => void asked.push(request);
    await rig.drive();
    expect((await rig.read(id)).task.state).toBe('succeeded');
    expect(Object.fromEntries(rig.agents.parts.kept)).toMatchObject({
      [`${FRESH} files`]: 'new',
      [`${FRESH} database`]: 'new',
    });
    const taken = rig.agents.asked.filter(({ act }) => act === 'takeSnapshot').map(({ serverId }) => serverId);
    expect(taken).toEqual([ids.db1, ids.web1]);
    const [first] = asked.filter(({ $case }) => $case === 'takeSnapshot');
    expect(first?.value).toMatchObject({ part: { $case: 'database', value: { withoutPosition: true } } });
    expect(await rig.store.backups.get(FRESH)).toMatchObject({
      ...{ state: 'ready', bytes: 2500, newBytes: 100, storedBytes: 50, chunks: 5, takenAt: 1000 },
      parts: [
        { part: 'manifest', entries: 0 },
        { part: 'database', entries: 12, firstChunk: 1 },
        { part: 'files', entries: 3, firstChunk: 2 },
      ],
    });
  });

  test('reads files again that changed meanwhile, and keeps no snapshot', async () => {
    const { rig, of, id } = await ready('backup create');
    rig.agents.parts.restless = 2;
    await rig.drive();
    expect((await rig.read(id)).task.state).toBe('succeeded');
    expect(count(rig, 'takeSnapshot')).toBe(4);
    expect(worldLines(rig.agents)).toEqual(of.doneWorld);
  });

  test('gives up on files that never rest, and keeps no snapshot', async () => {
    const { rig, of, id } = await ready('backup create');
    rig.agents.parts.restless = 1000;
    await rig.drive();
    const { task } = await rig.read(id);
    expect(task).toMatchObject({ state: 'failed' });
    expect(task.reason).toMatch(/^cannot keep the site as it is: its files changed each of the 6 times/);
    expect(worldLines(rig.agents)).toEqual(of.undoneWorld);
    // It may have come to the store: its record names it, with why, until it is pruned.
    expect(await rig.store.backups.get(FRESH)).toMatchObject({ state: 'deleting', problem: task.reason });
  });

  test('goes on under another grant when one ends', async () => {
    const { rig, id } = await ready('backup create');
    rig.agents.parts.short = 3;
    await rig.drive();
    expect((await rig.read(id)).task.state).toBe('succeeded');
    expect(count(rig, 'storeBackup')).toBe(4);
  });

  test('waits while the store is pruned, and is made then', async () => {
    const { rig, of, id } = await ready('backup create');
    const other = await rig.task({ ...of.plan, locks: [] }, { state: 'stuck' });
    await holdStores(rig.store, other, { places: ['service/svc-0123456789abcdz1'], mode: 'exclusive' });
    await rig.drive();
    expect((await rig.read(id)).task).toMatchObject({
      state: 'waiting',
      reason: `the store is in use by ${other} (site.backup of example.org, it is stuck: aegir task retry ${other}, or aegir task cancel ${other})`,
    });
    // What takes long is done by then.
    expect(acts(rig)).toEqual(['takeSnapshot', 'takeSnapshot']);
    await releaseStores(rig.store, other, ['service/svc-0123456789abcdz1']);
    rig.clock += 5000;
    await rig.drive();
    expect((await rig.read(id)).task.state).toBe('succeeded');
  });
});

describe('a restore', () => {
  test('hides the site before it keeps what it is, and serves it when it is back', async () => {
    const { rig } = await ready('backup restore');
    await rig.drive();
    const all = acts(rig);
    expect(all.indexOf('apply http')).toBeLessThan(all.indexOf('takeSnapshot'));
    expect(all.lastIndexOf('apply http')).toBeGreaterThan(all.indexOf('restoreFiles'));
    expect(rig.agents.parts.kept.get(`${FRESH} database`)).toBe('new');
  });

  test('that fails at its probe brings back what was there', async () => {
    const { rig, of, id } = await ready('backup restore');
    const step = of.plan.steps.findIndex(({ kind }) => kind === 'site.probe');
    rig.mishaps.push({ direction: 'do', step, left: 1, error: new AegirError('failed_precondition', 'cannot: 500') });
    await rig.drive();
    expect((await rig.read(id)).task.state).toBe('failed');
    expect(worldLines(rig.agents)).toEqual(of.undoneWorld);
    expect(count(rig, 'restoreDatabase')).toBe(2);
    expect(count(rig, 'restoreFiles')).toBe(2);
  });
});

describe('a drill', () => {
  test('touches nothing of the site, and says when and how long', async () => {
    const { rig } = await ready('backup drill');
    await rig.drive();
    const touched = new Set(rig.agents.asked.map(({ resource }) => resource));
    expect([...touched].sort()).toEqual([`backup/${OLD}`, 'site/site-0123456789abcdz2']);
    const backup = await rig.store.backups.get(OLD);
    expect(backup?.provenMillis).toBeGreaterThan(0);
    expect(backup).toMatchObject({ state: 'ready', problem: '' });
    expect(backup?.provenAt).toBe(backup?.triedAt);
    // It outlives the backup.
    const { provenAt: at, provenMillis: millis } = backup ?? {};
    expect((await rig.store.sites.get(backup?.siteId ?? ''))?.proven).toEqual({ at, backupId: OLD, millis });
  });

  test('is what a restore as another site is, too, where the same tables came back', async () => {
    const { rig } = await ready('backup restore as another site');
    await rig.drive();
    const proven = await rig.store.backups.get(OLD);
    expect(proven?.provenAt).toBeGreaterThan(0);
    expect((await rig.store.sites.get(proven?.siteId ?? ''))?.proven?.backupId).toBe(OLD);

    const other = await ready('backup restore as another site');
    const parts = (proven?.parts ?? []).map((part) => (part.part === 'database' ? { ...part, entries: 13 } : part));
    await other.rig.store.backups.update(OLD, { parts });
    await other.rig.drive();
    expect((await other.rig.read(other.id)).task.state).toBe('succeeded');
    expect(await other.rig.store.backups.get(OLD)).toMatchObject({ provenAt: null });
  });

  test('tells the backup when it failed, and nothing when a person stopped it', async () => {
    const { rig, of, id } = await ready('backup drill');
    const step = of.plan.steps.findIndex(({ kind }) => kind === 'site.probe');
    rig.mishaps.push({ direction: 'do', step, left: 1, error: new AegirError('failed_precondition', 'cannot: 500') });
    await rig.drive();
    expect((await rig.read(id)).task.state).toBe('failed');
    expect(await rig.store.backups.get(OLD)).toMatchObject({ problem: 'drill: cannot: 500', provenAt: null });
    await rig.store.backups.update(OLD, { problem: '' });
    const again = await ready('backup drill');
    again.rig.onBegin = async (direction, at) => {
      if (direction === 'do' && at === step) await again.rig.store.tasks.requestCancel(again.id);
    };
    await again.rig.drive();
    expect((await again.rig.read(again.id)).task.state).toBe('cancelled');
    expect(await again.rig.store.backups.get(OLD)).toMatchObject({ problem: '', triedAt: null });
  });

  test('fails when a table is missing', async () => {
    const { rig, id } = await ready('backup drill');
    const backup = await rig.store.backups.get(OLD);
    const parts = (backup?.parts ?? []).map((part) => (part.part === 'database' ? { ...part, entries: 13 } : part));
    await rig.store.backups.update(OLD, { parts });
    await rig.drive();
    const why = `cannot trust backup ${OLD}: its database has 13 tables, and 12 came back`;
    expect((await rig.read(id)).task).toMatchObject({ state: 'failed', reason: why });
    expect(await rig.store.backups.get(OLD)).toMatchObject({ problem: `drill: ${why}` });
  });
});

describe('stores', () => {
  const held = async (rig: TaskRig) => (await rig.store.storeHolds.find()).map(({ store, mode }) => `${store} ${mode}`);

  test('have many who bring or one who removes, and who waits to remove comes before who comes later', async () => {
    const { rig, of } = await ready('backup verify');
    const [a, b, c] = await Promise.all([1, 2, 3].map(() => rig.task(of.plan)));
    const hold = async (task: string | undefined, mode: 'shared' | 'exclusive', places = ['x'], givesWay = false) =>
      (await holdStores(rig.store, task ?? '', { places, mode, givesWay })).map(({ id }) => id);
    expect(await hold(a, 'shared')).toEqual([]);
    expect(await hold(a, 'shared')).toEqual([]);
    expect(await hold(b, 'exclusive')).toEqual([a]);
    expect(await held(rig)).toEqual(['x shared', 'x wanted']);
    expect(await hold(c, 'shared')).toEqual([b]);
    // All or none: what is free is not held by one who waits for what is not.
    expect(await hold(c, 'shared', ['w', 'x'])).toEqual([b]);
    expect(await held(rig)).toEqual(['x shared', 'x wanted']);
    // Who has it goes on having it, whoever wants it meanwhile.
    expect(await hold(a, 'shared')).toEqual([]);
    // Who lets others pass is passed, and comes before them again at its next turn.
    expect(await hold(b, 'exclusive', ['x'], true)).toEqual([a]);
    expect(await hold(c, 'shared')).toEqual([]);
    expect(await hold(b, 'exclusive')).toEqual([a, c]);
    await releaseStores(rig.store, c ?? '', ['x']);
    expect(await hold(c, 'shared')).toEqual([b]);
    await releaseStores(rig.store, a ?? '', ['x']);
    expect(await hold(b, 'exclusive')).toEqual([]);
    expect(await hold(c, 'shared')).toEqual([b]);
    // Who wants it alone comes in the order of asking.
    await releaseStores(rig.store, b ?? '', ['x']);
    expect(await hold(a, 'shared', ['w'])).toEqual([]);
    expect(await hold(b, 'exclusive', ['w', 'x'])).toEqual([a]);
    expect(await hold(c, 'exclusive')).toEqual([b]);
    await releaseStores(rig.store, a ?? '', ['w']);
    expect(await hold(b, 'exclusive', ['w', 'x'])).toEqual([]);
    await releaseStores(rig.store, b ?? '', ['w']);
    await releaseStores(rig.store, c ?? '', ['x']);
    // What an ended task held is free.
    const [claimed] = (await rig.store.tasks.claim('x', Date.now(), 1000, 10)).filter(({ id }) => id === b);
    await rig.store.tasks.update(b ?? '', claimed?.leaseEpoch ?? 0, { state: 'failed' });
    expect(await hold(c, 'shared')).toEqual([]);
    expect(await held(rig)).toEqual(['x shared']);
  });
});
