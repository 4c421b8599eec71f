// A site whose records nobody sets moves to another server: it says at once what it waits for, is served all the while, and
// goes on without when a person says so.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { type EmbeddedServer, until } from '../../deploy/up/processes.ts';
import {
  PlatformServiceService,
  ServiceServiceService,
  SiteServiceService,
  type Task,
  TaskServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import { MoveServiceService } from '../../shared/gen/aegir/v1/move_admin.ts';
import { addPlatform, finish, type Machine, startMachine } from './machine.ts';
import { installSite } from './site-tasks.ts';

// A name that leads nowhere (RFC 6761 reserves neither it nor its top level, so that it is looked up).
const SITE = 'no-such-site.aegir-test.zz';
const WEB2 = '127.0.1.3';
let machine: Machine;
let port = 0;

function code(server: string): string {
  const root = join(machine.layout.dir, `code-${server}`);
  mkdirSync(root, { mode: 0o755 });
  writeFileSync(join(root, 'index.php'), `<?php echo 'served by ${server}';\n`, { mode: 0o644 });
  return root;
}

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
  const web2: EmbeddedServer = {
    ...{ name: 'web2', address: WEB2, daemons: ['nginx', 'php-fpm'], types: ['http', 'dns'] },
    ports: { nginx: port },
  };
  await machine.startServer(web2);
  await until('the second web server to be there', undefined, new AbortController().signal, async () => {
    const asked = { pageSize: 0, pageToken: '', server: 'web2', type: '' };
    const { services } = await machine.connection().call(ServiceServiceService.listServices, asked);
    return services.some(({ name, state }) => name === 'web2/nginx' && state === 'enabled');
  });
  await addPlatform(machine, 'code', code('web1'));
  const added = await machine.connection().call(PlatformServiceService.addPlatform, {
    ...{ name: 'code2', root: code('web2'), service: 'web2/nginx', app: '', options: undefined },
  });
  expect((await finish(machine, added.taskId)).task.state).toBe('succeeded');
  const { task } = await finish(machine, (await installSite(machine, SITE, [], 'code')).taskId);
  expect([task.state, task.reason]).toEqual(['succeeded', '']);
}, 240_000);
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
