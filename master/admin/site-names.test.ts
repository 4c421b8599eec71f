// A site is found by its name however people write it: in its own letters, in capitals, with a dot at its end; as DNS has it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DrillBackupRequest, ListBackupsRequest } from '../../shared/gen/aegir/v1/backup_admin.ts';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids, service, site } from '../../test/records.ts';
import { listBackups } from './backup.ts';
import { drillBackup } from './backup-drill.ts';
import { newBackup } from './backup-new.ts';
import type { AdminDeps } from './deps.ts';
import { loadGraph } from './load.ts';
import { sizesOf } from './site-sizes.ts';
import { moveWriter } from './spread.ts';

const CALLER = { actor: 'anne', role: 'admin' } as const;
const BACKUP = 'bak-0123456789abcde7';
const options = { planOnly: true, idempotencyKey: '' };
let master: MasterApi;
let deps: AdminDeps;

beforeAll(async () => {
  master = await openMasterApi();
  deps = { ...master.deps, facts: { ...master.deps.facts, meshState: () => 'running' } };
  const store = service('svc-0123456789abcdz1', ids.db1, 'file', 'mesh', 0);
  await master.store.services.insert(store);
  await master.store.sites.update(ids.site, { name: 'xn--bcher-kva.example', aliases: [] });
  const made = { store, reason: 'person' as const, taskId: '', takenAt: 1_700_000_000_000 };
  const named = { ...site, name: 'xn--bcher-kva.example' };
  const backup = newBackup(await loadGraph(master.store), named, { ...made, id: BACKUP });
  await master.store.backups.insert({ ...backup, state: 'ready' });
  await master.store.usage.save([
    {
      ...{ siteId: ids.site, serverId: ids.web1, day: new Date().toISOString().slice(0, 10), requests: 0, bytes: 0 },
      ...{ s1: 0, s2: 0, s3: 0, s4: 0, s5: 0, fileBytes: 7, inodes: 1, logBytes: 0, databaseBytes: 8, measuredAt: 9 },
    },
  ]);
});
afterAll(() => master.close());

describe.each(['b\u00fccher.example', 'B\u00dcCHER.Example.', 'xn--bcher-kva.example', ids.site])('%s', (name) => {
  test('has its backups, and a drill of the newest', async () => {
    const { backups } = await listBackups(deps, ListBackupsRequest.fromPartial({ site: name }));
    expect(backups.map(({ id }) => id)).toEqual([BACKUP]);
    const { plan } = await drillBackup(deps, CALLER, DrillBackupRequest.fromPartial({ site: name, options }));
    expect(plan?.summary).toContain(`backup ${BACKUP} of b\u00fccher.example`);
  });

  test('is measured, and looked for on clusters', async () => {
    expect(await sizesOf(deps, name)).toEqual({ fileBytes: 7, databaseBytes: 8, knownAt: 9 });
    await expect(moveWriter(deps, CALLER, { site: name, service: 'web1/nginx', options })).rejects.toThrow(
      'it is on no cluster',
    );
  });
});
