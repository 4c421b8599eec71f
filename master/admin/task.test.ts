// Tasks, as people ask for them: by the names of what they are for; and to be cancelled, while that can be.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ListTasksRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids } from '../../test/records.ts';
import type { TaskState } from '../store/model.ts';
import type { Caller } from './deps.ts';
import { cancelTask, getTask, listTasks } from './task.ts';

const OPERATOR: Caller = { actor: 'o', role: 'operator' };
const GONE = 'site-0123456789abcdez';
let master: MasterApi;
let serial = 0;
beforeAll(async () => {
  master = await openMasterApi();
});
afterAll(() => master.close());

/** With two steps, and no way back from the second. begun: how many of them have. */
async function taskOf(subjectId: string, state: TaskState, begun = 0): Promise<string> {
  serial += 1;
  const id = `task-${String(serial).padStart(16, '0')}`;
  const plan = { verb: 'site.delete', subjectId, subject: 'x', summary: '', steps: [], warnings: [], locks: [] };
  await master.store.tasks.insert({
    ...{ id, verb: 'site.delete', subjectId, subject: 'x', state, reason: '', actor: 'somebody' },
    plan: { ...plan, pointOfNoReturn: 1 },
    ...{ createdAt: 1, startedAt: 1, finishedAt: null, resumeAt: null, cancelRequested: false },
    ...{ undoCause: null, idempotencyKey: null, locks: [], steps: [{ kind: 'http.publish' }, { kind: 'site.remove' }] },
  });
  for (let index = 0; index < begun; index++) {
    await master.store.steps.update(id, index, 0, { attempts: 1, state: index === 0 ? 'done' : 'doing' });
  }
  return id;
}

test('steps of a task that ended before they began were not run', async () => {
  const id = await taskOf(ids.site, 'running', 1);
  const states = async () => (await getTask(master.deps, { taskId: id })).steps.map(({ state }) => state);
  expect(await states()).toEqual(['done', 'pending']);
  const [claimed] = await master.store.tasks.claim('me', Date.now(), 60_000, 1);
  expect(claimed?.id).toBe(id);
  await master.store.tasks.update(id, claimed?.leaseEpoch ?? 0, { state: 'cancelled', finishedAt: 2 });
  expect(await states()).toEqual(['done', 'not_run']);
});

describe('to cancel a task', () => {
  const cancel = (taskId: string) => cancelTask(master.deps, OPERATOR, { taskId }, { requireRight: () => {} });

  test.each<TaskState>(['running', 'waiting', 'queued'])(
    'past its point of no return is refused: %s',
    async (state) => {
      const id = await taskOf(ids.site, state, 2);
      await expect(cancel(id)).rejects.toMatchObject({
        code: 'failed_precondition',
        message: `cannot cancel task ${id}: it is past its point of no return and only goes forward`,
      });
      expect((await master.store.tasks.get(id))?.cancelRequested).toBe(false);
    },
  );

  test('before it is taken', async () => {
    expect(await cancel(await taskOf(ids.site, 'running', 1))).toMatchObject({ cancelRequested: true });
  });

  test('that is stuck gives it up, and may be repeated', async () => {
    const id = await taskOf(ids.site, 'stuck', 2);
    expect(await cancel(id)).toMatchObject({ cancelRequested: true });
    expect(await cancel(id)).toMatchObject({ cancelRequested: true });
  });
});

describe('tasks about one thing', () => {
  const about = async (subjectId: string) =>
    (await listTasks(master.deps, ListTasksRequest.fromPartial({ subjectId }))).tasks.map(({ id }) => id);

  test('are found by its name, one of its other names, or its id', async () => {
    const id = await taskOf(ids.site, 'running');
    for (const name of ['example.org', 'WWW.example.org.', ids.site]) expect(await about(name), name).toContain(id);
    const others = { web1: ids.web1, 'web1/nginx': ids.nginx, wordpress: ids.platform };
    for (const [name, subject] of Object.entries(others)) {
      const task = await taskOf(subject, 'running');
      expect(await about(name), name).toEqual([task]);
    }
  });

  test('that is gone are found by its id', async () => {
    const id = await taskOf(GONE, 'succeeded');
    expect(await about(GONE)).toEqual([id]);
  });

  test('are those of all that share its name', async () => {
    const platform = await taskOf(ids.platform, 'running');
    const server = await taskOf(ids.web1, 'running');
    await master.store.platforms.update(ids.platform, { name: 'web1' });
    expect(await about('web1')).toEqual(expect.arrayContaining([platform, server]));
  });

  test.each(['nowhere.example', 'site-none', 'a b', '../x'])('are refused for what there is not: %s', async (name) => {
    await expect(about(name)).rejects.toMatchObject({ code: 'not_found' });
  });
});
