// A move that waits for DNS: told with the site, in the way of what it is in the way of, and ended by a person's word.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids, site } from '../../test/records.ts';
import { skipMark } from '../task/skip-mark.ts';
import { atWork } from './at-work.ts';
import type { Caller } from './deps.ts';
import { getSite } from './site.ts';
import { skipWait } from './skip-wait.ts';
import { cancelTask } from './task.ts';

const OPERATOR: Caller = { actor: 'anne', role: 'operator' };
const WHY = 'the records are not set yet: set A of example.org to 192.0.2.21';
const verbs = { requireRight: () => {} };
let master: MasterApi;
let serial = 0;
beforeAll(async () => {
  master = await openMasterApi();
});
afterAll(() => master.close());

/** Past its point of no return, at its second step. */
async function moving(args: object, kind = 'dns.await'): Promise<string> {
  serial += 1;
  const id = `task-${String(serial).padStart(16, '0')}`;
  const verb = 'site.migrate' as const;
  const plan = { verb, subjectId: site.id, subject: site.name, summary: '', warnings: [], locks: [] };
  const looks = { summary: '', serverId: null, undo: { none: 'it only looks' } };
  const steps = [
    { kind: 'site.place', ...looks },
    { kind, args, ...looks },
  ];
  await master.store.tasks.insert({
    ...{ id, verb, subjectId: site.id, subject: site.name, state: 'waiting', reason: WHY, actor: 'somebody' },
    plan: { ...plan, pointOfNoReturn: 0, steps: steps as never },
    ...{ createdAt: serial, startedAt: 1, finishedAt: null, resumeAt: 2 ** 41, cancelRequested: false },
    ...{ undoCause: null, idempotencyKey: null, locks: [], steps: steps.map(({ kind }) => ({ kind })) },
  });
  await master.store.steps.update(id, 0, 0, { attempts: 1, state: 'done' });
  return id;
}

test('goes on without, when a person says so; whoever finds it in the way is told how', async () => {
  const id = await moving({ serviceId: ids.dns, siteId: site.id, zone: '', records: [] });
  await expect(cancelTask(master.deps, OPERATOR, { taskId: id }, verbs)).rejects.toThrow(
    `only goes forward; it waits for DNS; go on without: aegir task skip-wait ${id}`,
  );
  const told = await master.store.transaction((tx) => atWork(tx, { ids: [ids.dns] }));
  expect(told.join()).toContain(`(it waits for DNS; go on without: aegir task skip-wait ${id})`);

  const from = { platformId: site.platformId, http: ids.nginx, db: ids.mariadb };
  await master.store.sites.update(site.id, { moving: { from: { ...from, db: '' }, to: from, phase: 'moved' } });
  expect((await getSite(master.deps, OPERATOR, { site: site.name })).journey).toEqual({
    ...{ to: ['db1/mariadb'], phase: 'moved', taskId: id, taskState: 'waiting', reason: WHY },
  });
  await master.store.sites.update(site.id, { moving: null });
  expect((await getSite(master.deps, OPERATOR, { site: site.name })).journey).toBeUndefined();

  for (let time = 0; time < 2; time++) {
    expect(await skipWait(master.deps, OPERATOR, { taskId: id }, verbs)).toMatchObject({ id });
    expect(await master.store.settings.get(skipMark(id, 1))).toEqual({ id: skipMark(id, 1), value: 'anne' });
  }
});

test('is refused to what waits for something else, and to what takes back what the public still asks for', async () => {
  const leaving = await moving({ serviceId: ids.dns, siteId: site.id, zone: '', records: [], leaves: ids.dns });
  const refused = {
    code: 'failed_precondition',
    message: expect.stringMatching(/^cannot skip what task .* waits for/),
  };
  await expect(skipWait(master.deps, OPERATOR, { taskId: leaving }, verbs)).rejects.toMatchObject(refused);
  await expect(skipWait(master.deps, OPERATOR, { taskId: 'task-none' }, verbs)).rejects.toThrow(/cannot find task/);
  const no = {
    requireRight: () => {
      throw new Error('denied');
    },
  };
  await expect(skipWait(master.deps, OPERATOR, { taskId: leaving }, no)).rejects.toThrow('denied');
});

test('a move that waits for late visitors goes on without, too', async () => {
  const id = await moving({ siteId: site.id, serverId: ids.web1, seconds: 300, most: 604_800 }, 'move.quiet');
  await expect(cancelTask(master.deps, OPERATOR, { taskId: id }, verbs)).rejects.toThrow(
    `it waits for late visitors of the old server; go on without: aegir task skip-wait ${id}`,
  );
  await skipWait(master.deps, OPERATOR, { taskId: id }, verbs);
  expect(await master.store.settings.get(skipMark(id, 1))).toEqual({ id: skipMark(id, 1), value: 'anne' });
});
