import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { until } from '../../deploy/up/processes.ts';
import { SiteServiceService, type Task, TaskServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { MoveServiceService } from '../../shared/gen/aegir/v1/move_admin.ts';
import { finish, type Machine, startMachine } from './machine.ts';
import { installSite } from './site-tasks.ts';
import { addAnswering, startWeb2, WEB2 } from './web2.ts';

// A name that leads nowhere (RFC 6761 reserves neither it nor its top level, so that it is looked up).
const SITE = 'no-such-site.aegir-test.zz';
let machine: Machine;
let port = 0;

async function reached(id: string, is: (task: Task) => boolean): Promise<Task> {
  let task: Task | undefined;
  await until('the task to get there', undefined, new AbortController().signal, async () => {
    task = await machine.connection().call(TaskServiceService.getTask, { taskId: id });
    return is(task) || task.finishedAt !== undefined || task.state === 'stuck';
  });
  if (task === undefined) throw new Error('there is no task');
  return task;
}

beforeAll(async () => {
  machine = await startMachine();
  port = machine.layout.ports.web1.nginx;
  await startWeb2(machine, false);
  await addAnswering(machine);
  const { task } = await finish(machine, (await installSite(machine, SITE, [], 'code')).taskId);
  expect([task.state, task.reason]).toEqual(['succeeded', '']);
});
afterAll(() => machine?.close());

test('a move waits with its why, and goes on without DNS by a word', async () => {
  const link = machine.connection();
  const { taskId } = await link.call(MoveServiceService.migrateSite, {
    ...{ site: SITE, server: 'web2', platform: '', db: '', maxHoldMillis: 0, pastHold: '', quietSeconds: 1, rounds: 1 },
    ...{ skipLead: true, backup: '', noBackup: true, noFollow: false, noDnsWait: false, options: undefined },
  });
  const waits = await reached(taskId, ({ state }) => state === 'waiting');
  expect([waits.state, waits.reason]).toEqual([
    'waiting',
    expect.stringMatching(/records (are not set yet|.*not known)/),
  ]);
  const { journey } = await link.call(SiteServiceService.getSite, { site: SITE });
  expect(journey).toMatchObject({
    to: ['web2/nginx'],
    phase: 'moved',
    taskId,
    reason: expect.stringContaining('records'),
  });
  await expect(link.call(TaskServiceService.cancelTask, { taskId })).rejects.toThrow(`aegir task skip-wait ${taskId}`);

  await link.call(TaskServiceService.skipWait, { taskId });
  const on = await reached(taskId, ({ reason }) => !reason.includes('records') && reason !== '');
  expect([on.state, on.reason]).toEqual(['waiting', expect.stringContaining('old DNS answers end')]);
  // Whoever still comes to the old server is handed on.
  for (const address of ['127.0.1.1', WEB2]) {
    expect((await createBrowser(address).get(`http://${SITE}:${port}/`)).body).toBe('served by web2');
  }
  const step = on.steps.findIndex((_, index) => on.plan?.steps[index]?.kind === 'dns.await');
  expect(on.steps[step]?.state).toBe('done');
});
