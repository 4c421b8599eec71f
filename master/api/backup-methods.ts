// The methods of the Admin API about backups.
import { BackupServiceService } from '../../shared/gen/aegir/v1/backup_admin.ts';
import { getBackup, listBackups } from '../admin/backup.ts';
import { createBackup } from '../admin/backup-create.ts';
import { drillBackup, verifyBackup } from '../admin/backup-drill.ts';
import { getBackupPolicy, setBackupPolicy } from '../admin/backup-policy.ts';
import { deleteBackups, pruneStore } from '../admin/backup-remove.ts';
import { restoreBackup } from '../admin/backup-restore.ts';
import type { AdminDeps } from '../admin/deps.ts';
import { exportStoreKey } from '../admin/store-key.ts';
import type { Unary } from './methods.ts';

export function backupMethods(deps: AdminDeps): Record<string, Unary> {
  const of = BackupServiceService;
  return {
    [of.listBackups.path]: (_, request) => listBackups(deps, request),
    [of.getBackup.path]: (_, request) => getBackup(deps, request),
    [of.getBackupPolicy.path]: (_, request) => getBackupPolicy(deps, request),
    [of.setBackupPolicy.path]: (_, request) => setBackupPolicy(deps, request),
    [of.exportStoreKey.path]: (_, request) => exportStoreKey(deps, request),
    [of.createBackup.path]: (caller, request) => createBackup(deps, caller, request),
    [of.restoreBackup.path]: (caller, request) => restoreBackup(deps, caller, request),
    [of.verifyBackup.path]: (caller, request) => verifyBackup(deps, caller, request),
    [of.drillBackup.path]: (caller, request) => drillBackup(deps, caller, request),
    [of.deleteBackup.path]: (caller, request) => deleteBackups(deps, caller, request),
    [of.pruneStore.path]: (caller, request) => pruneStore(deps, caller, request),
  };
}
