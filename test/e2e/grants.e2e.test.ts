// Leave to transfer that ends while bytes are on their way, by the real master: a grant that expires is followed by another
// one and the transfer goes on where it was; a server that is revoked gets nothing more, the task says so and is undone,
// nothing is harmed, and the same backup to a server that may have it works.
import { createCipheriv, randomBytes } from 'node:crypto';
import { chownSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { type EmbeddedServer, LOOPBACK, SERVERS, until } from '../../deploy/up/processes.ts';
import {
  type ChangeResponse,
  ServerServiceService,
  ServiceServiceService,
  TaskServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import { BackupServiceService } from '../../shared/gen/aegir/v1/backup_admin.ts';
import { addWordpress, createMachine, finish, type Machine } from './machine.ts';
import { installSite, SITE } from './site-tasks.ts';

const GRANT_SECONDS = 6;
/** What the web server sends: the site takes several grants. */
const BYTES_PER_SECOND = 2_000_000;
const BYTES = 32_000_000;
const never = new AbortController().signal;
const options = undefined;
let machine: Machine;

const link = () => machine.connection();
const create = (service: string) =>
  link().call(BackupServiceService.createBackup, { site: SITE, service, note: '', keep: false, options });
const backups = async () =>
  (await link().call(BackupServiceService.listBackups, { site: SITE, service: '', pageSize: 0, pageToken: '' }))
    .backups;

async function succeeded(change: Promise<ChangeResponse>) {
  const finished = await finish(machine, (await change).taskId, 240_000);
  const log = finished.events.flatMap(({ body }) => (body?.$case === 'log' ? [body.value.text] : [])).join('\n');
  expect(finished.task.state, `${finished.task.reason}\n${log}`).toBe('succeeded');
  return finished;
}

beforeAll(async () => {
  machine = await createMachine();
  await machine.start('master', {}, { transfer: { grantSeconds: GRANT_SECONDS } });
  const [web1, db1] = SERVERS as readonly [EmbeddedServer, EmbeddedServer];
  await machine.startServer({ ...web1, bytesPerSecond: BYTES_PER_SECOND });
  await machine.startServer(db1);
  await machine.startServer({ name: 'keep2', address: '127.0.1.5', daemons: [], types: ['file'], ports: {} });
  await machine.ready();
  await addWordpress(machine);
  const siteId = (await succeeded(installSite(machine))).task.subjectId;
  await succeeded(link().call(ServiceServiceService.enableService, { service: 'db1/mesh', options }));
  await until('the other store to be enabled', undefined, never, async () => {
    const { services } = await link().call(ServiceServiceService.listServices, {
      ...{ pageSize: 0, pageToken: '', server: 'keep2', type: '' },
    });
    return services.some(({ name, state }) => name === 'keep2/mesh' && state === 'enabled');
  });
  const files = join(machine.layout.dir, 'web1/host/sites', siteId, 'files');
  const { uid, gid } = statSync(files);
  const cipher = createCipheriv('aes-256-ctr', randomBytes(32), Buffer.alloc(16));
  writeFileSync(join(files, 'film.mp4'), cipher.update(Buffer.alloc(BYTES)));
  chownSync(join(files, 'film.mp4'), uid, gid);
});
afterAll(() => machine?.close());

test('a server that is revoked while it fetches gets nothing more: told, undone, nothing harmed', async () => {
  const { taskId } = await create('keep2/mesh');
  for await (const { body } of link().stream(TaskServiceService.watchTask, { taskId, afterSeq: 0n })) {
    if (body?.$case === 'progress' && (body.value.transfer?.bytes ?? 0n) > 2_000_000n) break;
  }
  await link().call(ServerServiceService.revokeServer, { server: 'keep2', confirm: true });
  const { task } = await finish(machine, taskId, 240_000);
  console.log(`revoked in the middle: ${task.state}: ${task.reason}`);
  expect(task.state).not.toBe('succeeded');
  expect(task.reason).toMatch(/revoked/);
  expect((await backups()).filter(({ state }) => state === 'ready')).toEqual([]);
  expect((await createBrowser(LOOPBACK).get(`http://${SITE}:${machine.layout.ports.web1.nginx}/`)).status).toBe(200);
});

test('a grant that ends in the middle is followed by another one; what came is kept, and the backup is whole', async () => {
  const began = performance.now();
  await succeeded(create('db1/mesh'));
  const seconds = (performance.now() - began) / 1000;
  console.log(`${BYTES / 1e6} MB in ${seconds.toFixed(0)} s, under grants of ${GRANT_SECONDS} s`);
  expect(seconds).toBeGreaterThan(2 * GRANT_SECONDS);
  const [kept] = (await backups()).filter(({ state }) => state === 'ready');
  await succeeded(link().call(BackupServiceService.verifyBackup, { backup: kept?.id ?? '', quick: false, options }));
});
