// What a person has to say before a store that has backups is led to another place, and what the plan says of them.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { SetServiceRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids, service, site } from '../../test/records.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import { newBackup } from './backup-new.ts';
import { setService } from './declare-service.ts';
import { loadGraph } from './load.ts';

const STORE = service('svc-0123456789abcdz1', ids.db1, 'file', 'mount', 0, {
  ...{ instance: 'nas', settings: { path: '/srv/nas' } },
});
let master: MasterApi;

beforeAll(async () => {
  master = await openMasterApi();
  await master.store.services.insert(STORE);
});
afterAll(() => master.close());
beforeEach(async () => {
  for (const { id } of await master.store.backups.find()) await master.store.backups.delete(id);
});

async function backup(id: string, state: BackupRecord['state']): Promise<void> {
  const made = { id, reason: 'person' as const, taskId: 'task-7', takenAt: 1_700_000_000_000, store: STORE };
  await master.store.backups.insert({ ...newBackup(await loadGraph(master.store), site, made), state });
}

const set = (settings: Record<string, string>, more: Partial<SetServiceRequest> = {}, planOnly = false) =>
  setService(
    master.deps,
    { actor: 'root', role: 'admin' },
    SetServiceRequest.fromPartial({ service: STORE.id, settings, ...more, options: { planOnly, idempotencyKey: '' } }),
  );
const kindsOf = async (answer: ReturnType<typeof set>) => (await answer).plan?.steps.map(({ kind }) => kind) ?? [];

test('without backups it is held at both places, and what moves no bytes needs no hold', async () => {
  const kinds = await kindsOf(set({ path: '/srv/new' }, {}, true));
  expect(kinds.slice(0, 2)).toEqual(['store.hold', 'service.set']);
  expect(kinds.at(-1)).toBe('store.release');
  expect(await kindsOf(set({ quota: '1G' }, {}, true))).not.toContain('store.hold');
});

test('backups there are named, and left behind or taken to be moved only as a person says', async () => {
  await backup('bak-0123456789abcde1', 'ready');
  await backup('bak-0123456789abcde2', 'damaged');
  const { plan } = await set({ path: '/srv/new' }, {}, true);
  expect(plan?.warnings[0]).toBe(
    'Not found any more: bak-0123456789abcde1 of example.org; bak-0123456789abcde2 of example.org; they are found again ' +
      'once db1/mount:nas is set back. Said by --leave-backups; where you moved its files to the new place, by --moved.',
  );
  await expect(set({ path: '/srv/new' })).rejects.toThrow(
    'cannot set db1/mount:nas: 2 backups lie where it keeps them now, and would not be found any more (see them by --plan); ' +
      'move its files to the new place and say --moved, or leave them behind by --leave-backups',
  );
  await expect(set({ path: '/srv/new' }, { moved: true, leaveBackups: true })).rejects.toThrow(/say one of the two/);
  const moved = await set({ path: '/srv/new' }, { moved: true }, true);
  expect(moved.plan?.warnings[0]).toMatch(/^Looked for at the new place before anything changes: bak-/);
  const kinds = moved.plan?.steps.map(({ kind }) => kind);
  expect(kinds?.slice(0, 3)).toEqual(['store.hold', 'store.require', 'service.set']);
  expect(await kindsOf(set({ path: '/srv/new' }, { leaveBackups: true }))).toContain('store.hold');
});

test('a share that is only named moves nothing: held, and nothing to be said', async () => {
  await backup('bak-0123456789abcde1', 'making');
  const { plan } = await set({ share: 'nas' });
  expect(plan?.steps.map(({ kind }) => kind)).toContain('store.hold');
  expect(plan?.warnings).toEqual([]);
});

test('one that is being made goes where it is kept now: no word lets that be changed under it', async () => {
  await backup('bak-0123456789abcde1', 'making');
  for (const said of [{}, { moved: true }, { leaveBackups: true }]) {
    await expect(set({ path: '/srv/new' }, said)).rejects.toThrow(
      'cannot set db1/mount:nas: backup bak-0123456789abcde1 of example.org is being made where it keeps them now; wait for ' +
        'it, or stop it: aegir task cancel task-7',
    );
  }
});
