// The methods of the Admin API about backups.
import { AegirError } from '../../shared/error.ts';
import { BackupServiceService } from '../../shared/gen/aegir/v1/backup_admin.ts';
import { getBackup, listBackups } from '../admin/backup.ts';
import { getBackupPolicy, setBackupPolicy } from '../admin/backup-policy.ts';
import type { AdminDeps, Caller } from '../admin/deps.ts';
import { exportStoreKey } from '../admin/store-key.ts';

// biome-ignore lint/suspicious/noExplicitAny: each method has its own request and response; the definitions decode them
type Unary = (caller: Caller, request: any) => Promise<any>;

export function backupMethods(deps: AdminDeps): Record<string, Unary> {
  const of = BackupServiceService;
  const later: Unary = async () => {
    throw new AegirError('unimplemented', 'cannot do that yet');
  };
  return {
    [of.listBackups.path]: (_, request) => listBackups(deps, request),
    [of.getBackup.path]: (_, request) => getBackup(deps, request),
    [of.getBackupPolicy.path]: (_, request) => getBackupPolicy(deps, request),
    [of.setBackupPolicy.path]: (_, request) => setBackupPolicy(deps, request),
    [of.exportStoreKey.path]: (_, request) => exportStoreKey(deps, request),
    [of.createBackup.path]: later,
    [of.restoreBackup.path]: later,
    [of.verifyBackup.path]: later,
    [of.drillBackup.path]: later,
    [of.deleteBackup.path]: later,
    [of.pruneStore.path]: later,
  };
}
