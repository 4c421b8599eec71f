// Backups that are asked for: the record to be, where it goes, and the task that makes it.
import type { ChangeResponse } from '../../shared/gen/aegir/v1/admin.ts';
import type { CreateBackupRequest } from '../../shared/gen/aegir/v1/backup_admin.ts';
import { freeText } from '../../shared/name.ts';
import { policyOf } from '../graph/backup-policy.ts';
import { keptWhile, throwsAway } from '../graph/retention.ts';
import { chooseStore } from '../graph/stores.ts';
import { planCreateBackup } from '../plan/backup.ts';
import type { BackupReason } from '../store/model-backup.ts';
import { newBackup, requireMesh } from './backup-new.ts';
import { change } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { findSite, requireState } from './site.ts';
import { sizesOf } from './site-sizes.ts';

const MAX_NOTE = 200;

export async function createBackup(
  deps: AdminDeps,
  caller: Caller,
  request: CreateBackupRequest,
  reason: BackupReason = 'person',
): Promise<ChangeResponse> {
  const note = freeText(request.note, 'note', MAX_NOTE);
  const id = deps.newId('bak');
  const { options, ...asked } = request;
  requireMesh(deps);
  const policies = await deps.store.backupPolicies.find();
  const sizes = await sizesOf(deps, request.site);
  return change(deps, caller, options, { method: 'site.backup', ...asked }, (graph) => {
    const site = findSite(graph, request.site);
    requireState(site, ['enabled', 'disabled', 'failed'], 'back up');
    const policy = policyOf(policies, site.id);
    const wanted = policy.serviceId;
    // What is made before something risky is often the one that is needed days later.
    const thrown = reason === 'person' && !request.keep && throwsAway(policy);
    const warnings = thrown
      ? [`The policy keeps it while ${keptWhile(policy)}, and throws it away then; --keep keeps it.`]
      : [];
    const store = chooseStore(graph, request.service, wanted, `the backup of ${site.name}`);
    return {
      plan: planCreateBackup(graph, site, id, store, sizes, warnings),
      save: async (tx, taskId) => {
        const made = { id, store, reason, taskId, takenAt: deps.now() };
        await tx.backups.insert({ ...newBackup(graph, site, made), note, keep: request.keep });
      },
    };
  });
}
