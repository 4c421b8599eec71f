// A transaction that somebody prepared (XA) in a site's database and left: deleting the site and restoring it end undone whole,
// saying what to run; the site serves again, and goes once that was run.
// @module-tag deep
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { LOOPBACK } from '../../deploy/up/processes.ts';
import { type ChangeResponse, ServiceServiceService, SiteServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { BackupServiceService } from '../../shared/gen/aegir/v1/backup_admin.ts';
import { addWordpress, finish, type Machine, startMachine } from './machine.ts';
import { deleteSite, installSite, SITE } from './site-tasks.ts';
import { sql } from './sql.ts';

const options = undefined;
let machine: Machine;
let database = '';

beforeAll(async () => {
  machine = await startMachine();
  await addWordpress(machine);
  const { subjectId } = await succeeded(installSite(machine));
  database = `site_${subjectId.slice('site-'.length)}`;
  const store = { service: 'web1/mesh', options };
  await succeeded(machine.connection().call(ServiceServiceService.enableService, store));
});
afterAll(() => machine?.close());

const ended = async (change: Promise<ChangeResponse>) => (await finish(machine, (await change).taskId)).task;

async function succeeded(change: Promise<ChangeResponse>) {
  const task = await ended(change);
  expect([task.verb, task.state, task.reason]).toEqual([task.verb, 'succeeded', '']);
  return task;
}

async function undone(change: Promise<ChangeResponse>): Promise<void> {
  const task = await ended(change);
  expect([task.verb, task.state]).toEqual([task.verb, 'failed']);
  expect(task.reason).toMatch(/somebody prepared a transaction \(XA\).*XA ROLLBACK xid; .*it is one of: 'x'/);
  const begun = task.steps.filter((step) => step.attempts > 0).map((step) => step.state);
  expect(begun.filter((state) => !['undone', 'skipped', 'failed'].includes(state))).toEqual([]);
  const { state } = await machine.connection().call(SiteServiceService.getSite, { site: SITE });
  expect(state).toBe('enabled');
  const home = await createBrowser(LOOPBACK).get(`http://${SITE}:${machine.layout.ports.web1.nginx}/`);
  expect([home.status, home.body.includes('<title>Fault')]).toEqual([200, true]);
}

test('it stands in the way of deleting and restoring, which leave the site as it was', async () => {
  const link = machine.connection();
  const made = { site: SITE, service: 'web1/mesh', note: '', keep: false, options };
  await succeeded(link.call(BackupServiceService.createBackup, made));
  const { backups } = await link.call(BackupServiceService.listBackups, {
    ...{ pageSize: 0, pageToken: '', site: SITE, service: '' },
  });
  const backup = backups[0]?.id ?? '';
  const restore = () =>
    link.call(BackupServiceService.restoreBackup, {
      ...{ backup, newName: '', platform: '', db: '', confirm: true, options },
    });
  sql(
    machine,
    `USE ${database}; XA START 'x'; INSERT INTO wp_links (link_url, link_notes) VALUES ('x', ''); XA END 'x'; XA PREPARE 'x';`,
  );
  await undone(deleteSite(machine));
  await undone(restore());
  sql(machine, "XA ROLLBACK 'x'");
  await succeeded(restore());
  await succeeded(deleteSite(machine));
  expect(sql(machine, 'SHOW DATABASES')).not.toContain(database);
});
