// Tasks and steps: what is kept, who may write, who gets which task and when.
import { expect, it } from 'vitest';
import type { Subject } from '../conformance.ts';
import { ENDED_TASK_STATES, type TaskRecord, type TaskState } from '../model.ts';
import type { NewTask, Store } from '../store.ts';
import { BIG, ODD, task } from './samples.ts';

const NOW = 1_000_000;
const LEASE = 30_000;

async function claim(store: Store, owner = 'm1', now = NOW, limit = 100): Promise<Map<string, TaskRecord>> {
  return new Map((await store.tasks.claim(owner, now, LEASE, limit)).map((row) => [row.id, row]));
}

const claimedIds = async (...args: Parameters<typeof claim>) => [...(await claim(...args)).keys()];
const lost = { code: 'aborted', message: expect.stringContaining('lease lost') };

export function taskCases(subject: () => Subject): void {
  it('come back as they were saved, with pending steps', async () => {
    const { store, reopen } = subject();
    const { locks: _, steps: __, ...fields } = task('task-1', { resumeAt: BIG, idempotencyKey: ODD, startedAt: 0 });
    await store.tasks.insert({ ...fields, locks: ['a', 'a', ODD], steps: [{ kind: 'one' }, { kind: 'two' }] });
    await store.tasks.insert(task('task-2', { steps: [] }));
    const again = await reopen();
    const lease = { leaseOwner: null, leaseEpoch: 0, leaseExpiresAt: null };
    expect(await again.tasks.get('task-1')).toStrictEqual({ ...fields, seq: expect.any(Number), ...lease });
    const step = {
      taskId: 'task-1',
      state: 'pending',
      attempts: 0,
      undoAttempts: 0,
      result: null,
      error: '',
      label: '',
    };
    expect(await again.steps.ofTask('task-1')).toStrictEqual(
      ['one', 'two'].map((kind, index) => ({ ...step, kind, index, progress: 0, notBefore: null, startedAt: null })),
    );
    expect(await again.steps.ofTask('task-2')).toEqual([]);
    expect(await again.tasks.get('task-3')).toBeUndefined();
  });

  it('list newest first, filtered, in pages', async () => {
    const { store } = subject();
    for (let n = 1; n <= 5; n++) await store.tasks.insert(task(`task-${n}`, { subjectId: n % 2 ? 'odd' : 'even' }));
    const ids = async (filter: Partial<Parameters<Store['tasks']['list']>[0]>) =>
      (await store.tasks.list({ limit: 100, ...filter })).map(({ id }) => id);
    expect(await ids({})).toEqual(['task-5', 'task-4', 'task-3', 'task-2', 'task-1']);
    expect(await ids({ subjectId: 'odd', limit: 2 })).toEqual(['task-5', 'task-3']);
    expect(await ids({ subjectId: ['even', 'none', 'odd'], limit: 2 })).toEqual(['task-5', 'task-4']);
    const seq = (await store.tasks.get('task-3'))?.seq;
    expect(await ids(seq === undefined ? {} : { beforeSeq: seq })).toEqual(['task-2', 'task-1']);
    expect(await ids({ state: 'running' })).toEqual([]);
    expect(await ids({ limit: 1e9 })).toHaveLength(5);
    await expect(ids({ limit: 1.5 })).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  // Which of the tasks a claim gives out: state and time of each, and what else it is.
  const due: readonly (readonly [string, Partial<NewTask>, boolean])[] = [
    ['queued', { state: 'queued' }, true],
    ['running with nobody on it', { state: 'running' }, true],
    ['undoing with nobody on it', { state: 'undoing', undoCause: 'failure' }, true],
    ['stuck', { state: 'stuck' }, false],
    ['waiting, due now', { state: 'waiting', resumeAt: NOW }, true],
    ['waiting, due later', { state: 'waiting', resumeAt: NOW + 1 }, false],
    ['waiting, due later, cancelled', { state: 'waiting', resumeAt: NOW + 1, cancelRequested: true }, true],
    [
      'waiting in undo, due later, cancelled before',
      { state: 'waiting', resumeAt: NOW + 1, cancelRequested: true, undoCause: 'cancel' },
      false,
    ],
    ['waiting for no time', { state: 'waiting', resumeAt: null }, false],
    ...ENDED_TASK_STATES.map((state) => [state, { state }, false] as const),
  ];
  it.each(due)('claim: %s', async (_, changes, given) => {
    const { store } = subject();
    await store.tasks.insert(task('task-1', changes));
    expect(await claimedIds(store)).toEqual(given ? ['task-1'] : []);
  });

  // Locks of the tasks in the order of asking, and which of them a claim gives out.
  const locking: readonly (readonly [string, readonly (readonly [TaskState, ...string[]])[], readonly number[]])[] = [
    ['no locks: all', [['queued'], ['queued']], [0, 1]],
    [
      'one key: the oldest',
      [
        ['queued', 'a'],
        ['queued', 'a'],
        ['queued', 'a'],
      ],
      [0],
    ],
    [
      'two keys',
      [
        ['queued', 'a'],
        ['queued', 'b'],
        ['queued', 'a', 'b'],
      ],
      [0, 1],
    ],
    [
      'older ones that wait go first too',
      [
        ['queued', 'a'],
        ['queued', 'a', 'b'],
        ['queued', 'b'],
      ],
      [0],
    ],
    [
      'stuck keeps its locks',
      [
        ['stuck', 'a'],
        ['queued', 'a'],
        ['queued', 'b'],
      ],
      [2],
    ],
    [
      'waiting keeps its locks',
      [
        ['waiting', 'a'],
        ['queued', 'a'],
      ],
      [],
    ],
    [
      'another key in between',
      [
        ['queued', 'a'],
        ['queued', 'b'],
        ['queued', 'c', 'd'],
        ['queued', 'd'],
      ],
      [0, 1, 2],
    ],
  ];
  it.each(locking)('claim order, %s', async (_, tasks, given) => {
    const { store } = subject();
    for (const [n, [state, ...locks]] of tasks.entries()) await store.tasks.insert(task(`task-${n}`, { state, locks }));
    expect(await claimedIds(store)).toEqual(given.map((n) => `task-${n}`));
    expect(await claimedIds(store)).toEqual([]);
  });

  it('a queued one that is cancelled comes at once, past older ones that share its locks and past the limit', async () => {
    const { store, reopen } = subject();
    for (const n of [1, 2, 3, 4]) await store.tasks.insert(task(`task-${n}`, { locks: ['a'] }));
    expect(await claimedIds(store)).toEqual(['task-1']);
    for (const n of [1, 2, 4]) expect(await store.tasks.requestCancel(`task-${n}`)).toBe(true);
    const again = await reopen();
    const claimed = await claim(again, 'm1', NOW, 0);
    expect([...claimed.keys()]).toEqual(['task-2', 'task-4']);
    const epochs = [...claimed.values()].map(({ leaseEpoch }) => leaseEpoch);
    expect(new Set(epochs).size).toBe(2);
    // Whoever took them may die.
    expect(await claimedIds(again, 'm2', NOW, 0)).toEqual([]);
    const later = await claim(again, 'm2', NOW + LEASE);
    expect([...later.keys()].sort()).toEqual(['task-1', 'task-2', 'task-4']);
    for (const id of ['task-2', 'task-4']) {
      await again.tasks.update(id, later.get(id)?.leaseEpoch ?? 0, { state: 'cancelled' });
    }
    expect(await again.tasks.ahead('task-3')).toBe('task-1');
    expect(await claimedIds(again, 'm3', NOW + LEASE)).toEqual([]);
  });

  it.each(ENDED_TASK_STATES)('%s frees lease and locks, and is for ever', async (state) => {
    const { store } = subject();
    await store.tasks.insert(task('task-1', { locks: ['a', 'b'] }));
    await store.tasks.insert(task('task-2', { locks: ['b'] }));
    const epoch = (await claim(store)).get('task-1')?.leaseEpoch ?? 0;
    expect(await claimedIds(store)).toEqual([]);
    expect([await store.tasks.ahead('task-1'), await store.tasks.ahead('task-2')]).toEqual([undefined, 'task-1']);
    await store.tasks.update('task-1', epoch, { state, finishedAt: BIG, reason: `${ODD}\0` });
    expect(await store.tasks.get('task-1')).toMatchObject({
      state,
      finishedAt: BIG,
      reason: `${ODD}\ufffd`,
      leaseOwner: null,
      leaseExpiresAt: null,
      leaseEpoch: epoch,
    });
    await store.tasks.update('task-1', epoch, { state });
    await expect(store.tasks.update('task-1', epoch, { state: 'running' })).rejects.toMatchObject({
      code: 'failed_precondition',
    });
    expect(await store.tasks.ahead('task-2')).toBeUndefined();
    expect(await claimedIds(store)).toEqual(['task-2']);
    expect(await store.tasks.requestCancel('task-1')).toBe(false);
    expect(await store.tasks.countOpen()).toBe(1);
  });

  it('stuck gives the lease back, keeps the locks, and goes on when a person says so', async () => {
    const { store } = subject();
    await store.tasks.insert(task('task-1', { locks: ['a'] }));
    await store.tasks.insert(task('task-2', { locks: ['a'] }));
    for (const [undoCause, goesOn] of [
      [null, 'running'],
      ['cancel', 'undoing'],
    ] as const) {
      const epoch = (await claim(store)).get('task-1')?.leaseEpoch ?? 0;
      await store.tasks.update('task-1', epoch, { state: 'stuck', reason: 'disk full', undoCause });
      expect(await store.tasks.get('task-1')).toMatchObject({ state: 'stuck', leaseOwner: null, leaseExpiresAt: null });
      expect(await claimedIds(store, 'm2', NOW + 10 * LEASE)).toEqual([]);
      expect(await store.tasks.unstick('task-1')).toBe(true);
      expect(await store.tasks.unstick('task-1')).toBe(false);
      expect((await store.tasks.get('task-1'))?.state).toBe(goesOn);
    }
    expect(await claimedIds(store)).toEqual(['task-1']);
  });

  it('every claim has a larger epoch, over all tasks; a lease ends by time only', async () => {
    const { store, reopen } = subject();
    for (const id of ['task-1', 'task-2', 'task-3']) await store.tasks.insert(task(id));
    const first = await claim(store, 'm1', NOW, 2);
    expect([...first.keys()]).toEqual(['task-1', 'task-2']);
    expect(first.get('task-1')).toMatchObject({ leaseOwner: 'm1', leaseExpiresAt: NOW + LEASE, state: 'queued' });
    expect(await claimedIds(store, 'm2', NOW + LEASE - 1)).toEqual(['task-3']);
    const again = await reopen();
    const third = await claim(again, 'm2', NOW + LEASE);
    expect([...third.keys()]).toEqual(['task-1', 'task-2']);
    const epochs = [...first.values(), ...third.values()].map(({ leaseEpoch }) => leaseEpoch);
    expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
    expect(Math.min(...epochs)).toBeGreaterThan(0);
  });

  it('a stale epoch writes nothing', async () => {
    const { store } = subject();
    await store.tasks.insert(task('task-1', { locks: ['a'] }));
    await store.tasks.insert(task('task-2', { locks: ['a'] }));
    const old = (await claim(store, 'm1')).get('task-1')?.leaseEpoch ?? 0;
    await store.steps.update('task-1', 0, old, { state: 'doing' });
    const fresh = (await claim(store, 'm2', NOW + LEASE)).get('task-1')?.leaseEpoch ?? 0;
    const before = [await store.tasks.get('task-1'), await store.steps.ofTask('task-1')];

    await expect(store.tasks.update('task-1', old, { state: 'succeeded' })).rejects.toMatchObject(lost);
    await expect(store.steps.update('task-1', 0, old, { state: 'done' })).rejects.toMatchObject(lost);
    await expect(store.steps.update('task-1', 0, fresh + 1, { state: 'done' })).rejects.toMatchObject(lost);
    const both = store.transaction(async (tx) => {
      await tx.settings.insert({ id: 'a', value: '' });
      await tx.tasks.update('task-1', old, { state: 'failed' });
    });
    await expect(both).rejects.toMatchObject(lost);
    expect([await store.tasks.get('task-1'), await store.steps.ofTask('task-1')]).toEqual(before);
    expect(await store.settings.find()).toEqual([]);
    expect(await claimedIds(store)).toEqual([]);
    await store.tasks.update('task-1', fresh, { state: 'succeeded' });
    await expect(store.tasks.update('task-9', 0, {})).rejects.toMatchObject({ code: 'not_found' });
    await expect(store.tasks.update('task-1', fresh, { leaseEpoch: 1 })).rejects.toMatchObject({
      code: 'failed_precondition',
    });
  });

  it('steps keep what their runner writes', async () => {
    const { store, reopen } = subject();
    await store.tasks.insert(task('task-1'));
    const epoch = (await claim(store)).get('task-1')?.leaseEpoch ?? 0;
    const patch = {
      state: 'done',
      attempts: 3,
      undoAttempts: 1,
      result: { odd: ODD, none: null },
      error: 'binary \0 output',
      progress: 1 / 3,
      label: ODD,
      notBefore: BIG,
      startedAt: 0,
    } as const;
    await store.steps.update('task-1', 1, epoch, patch);
    await expect(store.steps.update('task-1', 2, epoch, patch)).rejects.toMatchObject({ code: 'not_found' });
    await expect(store.steps.update('task-1', 1, epoch, { progress: Number.NaN })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    const [first, second] = await (await reopen()).steps.ofTask('task-1');
    expect(first).toMatchObject({ index: 0, state: 'pending', progress: 0 });
    expect(second).toStrictEqual({
      taskId: 'task-1',
      index: 1,
      kind: 'http.publish',
      ...patch,
      error: 'binary \ufffd output',
    });
  });

  it('waits give the lease back, and a cancel ends the wait', async () => {
    const { store } = subject();
    expect(await store.tasks.nextResume()).toBeUndefined();
    await store.tasks.insert(task('task-1'));
    await store.tasks.insert(task('task-2', { state: 'waiting', resumeAt: NOW + 7000 }));
    const epoch = (await claim(store)).get('task-1')?.leaseEpoch ?? 0;
    await store.tasks.update('task-1', epoch, { state: 'waiting', resumeAt: NOW + 5000 });
    expect(await store.tasks.nextResume()).toBe(NOW + 5000);
    expect(await claimedIds(store, 'm2', NOW + 4999)).toEqual([]);
    expect(await store.tasks.requestCancel('task-1')).toBe(true);
    expect(await store.tasks.requestCancel('task-9')).toBe(false);
    const claimed = await claim(store, 'm2', NOW + 4999);
    expect(claimed.get('task-1')).toMatchObject({ cancelRequested: true, state: 'waiting', leaseOwner: 'm2' });
    const next = claimed.get('task-1')?.leaseEpoch ?? 0;
    await store.tasks.update('task-1', next, { state: 'undoing', undoCause: 'cancel', resumeAt: null });
    expect(await store.tasks.nextResume()).toBe(NOW + 7000);
    expect(await claimedIds(store, 'm2', NOW + 7000)).toEqual(['task-2']);
  });

  it('renews the leases of one owner', async () => {
    const { store } = subject();
    for (const id of ['task-1', 'task-2', 'task-3']) await store.tasks.insert(task(id));
    const mine = await claim(store, 'm1', NOW, 2);
    await claim(store, 'm2', NOW, 1);
    await store.tasks.update('task-2', mine.get('task-2')?.leaseEpoch ?? 0, { state: 'succeeded' });
    expect(await store.tasks.renew('m1', NOW + LEASE, LEASE)).toEqual(['task-1']);
    expect(await claimedIds(store, 'm3', NOW + LEASE)).toEqual(['task-3']);
    expect((await store.tasks.get('task-1'))?.leaseEpoch).toBe(mine.get('task-1')?.leaseEpoch);
    expect(await store.tasks.renew('m9', NOW, LEASE)).toEqual([]);
  });

  it('keeps a task of thousands of steps and locks', async () => {
    const { store } = subject();
    const steps = Array.from({ length: 2_500 }, (_, n) => ({ kind: `kind.${n}` }));
    const locks = steps.map(({ kind }) => `site/${kind}`);
    await store.tasks.insert({ ...task('task-1'), steps, locks });
    const kept = await store.steps.ofTask('task-1');
    expect(kept.map(({ index, kind }) => [index, kind])).toEqual(steps.map(({ kind }, index) => [index, kind]));
    const more = Array.from({ length: 8_001 }, () => ({ kind: 'x' }));
    await expect(store.tasks.insert({ ...task('task-2'), steps: more })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });

  it('counts on from a larger epoch, and has tasks under smaller ones claimed anew', async () => {
    const { store } = subject();
    await store.tasks.insert(task('task-1'));
    const before = (await claim(store, 'm1')).get('task-1')?.leaseEpoch ?? 0;
    expect(await store.tasks.raiseEpoch(before)).toBe(false);
    expect(await claimedIds(store, 'm2')).toEqual([]);
    expect(await store.tasks.epoch()).toBe(before);
    expect(await store.tasks.raiseEpoch(before + 100)).toBe(true);
    expect(await store.tasks.epoch()).toBe(before + 100);
    const after = (await claim(store, 'm2')).get('task-1')?.leaseEpoch;
    expect(after).toBeGreaterThan(before + 100);
    await expect(store.tasks.update('task-1', before, { reason: 'late' })).rejects.toMatchObject({ code: 'aborted' });
  });

  it('breaks leases where no other master can live, and only there', async () => {
    const { store } = subject();
    await store.tasks.insert(task('task-1'));
    await claim(store, 'dead');
    if (store.kind === 'sqlite') {
      await store.tasks.breakLeases();
      expect(await claimedIds(store)).toEqual(['task-1']);
    } else {
      await expect(store.tasks.breakLeases()).rejects.toMatchObject({ code: 'failed_precondition' });
      expect(await claimedIds(store)).toEqual([]);
    }
  });
}
