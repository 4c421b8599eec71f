// A static site has files of its own, too, below /files/: they are in its backups, come back, and go along to a copy.
// @module-tag deep
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { LOOPBACK } from '../../deploy/up/processes.ts';
import { type ChangeResponse, ServiceServiceService, SiteServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { BackupServiceService } from '../../shared/gen/aegir/v1/backup_admin.ts';
import { MoveServiceService } from '../../shared/gen/aegir/v1/move_admin.ts';
import { addPlatform, finish, type Machine, startMachine } from './machine.ts';
import { installSite, SITE } from './site-tasks.ts';

const COPY = 'copy.localhost';
let machine: Machine;
let file = '';

const link = () => machine.connection();
const get = (name: string) =>
  createBrowser(LOOPBACK).get(`http://${name}:${machine.layout.ports.web1.nginx}/files/left.txt`);

async function succeeded(change: Promise<ChangeResponse>): Promise<string> {
  const { task } = await finish(machine, (await change).taskId);
  expect([task.verb, task.state, task.reason]).toEqual([task.verb, 'succeeded', '']);
  return task.subjectId;
}

beforeAll(async () => {
  machine = await startMachine();
  const root = join(machine.layout.dir, 'pages');
  mkdirSync(root, { mode: 0o755 });
  writeFileSync(join(root, 'index.html'), '<p>home</p>', { mode: 0o644 });
  await addPlatform(machine, 'pages', root);
  const id = await succeeded(installSite(machine, SITE, [], 'pages', ''));
  await succeeded(link().call(ServiceServiceService.enableService, { service: 'web1/mesh', options: undefined }));
  file = join(machine.layout.dir, 'web1/host/sites', id, 'files/left.txt');
  writeFileSync(file, 'left by somebody', { mode: 0o644 });
});
afterAll(() => machine?.close());

test('they come back from a backup', async () => {
  const how = { site: SITE, service: 'web1/mesh', note: '', keep: false, options: undefined };
  await succeeded(link().call(BackupServiceService.createBackup, how));
  rmSync(file);
  expect((await get(SITE)).status).toBe(404);
  const page = { site: SITE, service: '', pageSize: 0, pageToken: '' };
  const { backups } = await link().call(BackupServiceService.listBackups, page);
  const restore = {
    backup: backups[0]?.id ?? '',
    confirm: true,
    newName: '',
    platform: '',
    db: '',
    options: undefined,
  };
  await succeeded(link().call(BackupServiceService.restoreBackup, restore));
  expect((await get(SITE)).body).toBe('left by somebody');
});

test('they go along to a copy', async () => {
  const how = { platform: '', db: '', dns: '', client: '', options: undefined };
  await succeeded(link().call(MoveServiceService.cloneSite, { site: SITE, newName: COPY, ...how }));
  expect((await get(COPY)).body).toBe('left by somebody');
});

test('it is deleted with a last backup', async () => {
  await succeeded(link().call(SiteServiceService.deleteSite, { site: COPY, confirm: true, options: undefined }));
});
