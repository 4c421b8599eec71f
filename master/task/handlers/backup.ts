// The list of handlers about backups.
import type { BackupStepArgs } from '../../plan/backup-args.ts';
import type { Handlers } from '../handler.ts';
import type { HandlerDeps } from '../parts.ts';
import { createBackupForget, createBackupMark, createBackupReady, createBackupRecord } from './backup-record.ts';
import { createDbEnsure, createRestoreDatabase, createRestoreFiles, createSiteRewrite } from './backup-restore.ts';
import { createBackupStore } from './backup-store.ts';
import { createDrillBegin, createDrillCompare, createDrillProve } from './drill.ts';
import { createSnapshotDrop, createSnapshotTake } from './snapshot.ts';
import { createStoreLook } from './store-find.ts';
import { createStoreHold, createStoreRelease } from './store-hold.ts';
import { createBackupCheck, createStorePrune } from './store-prune.ts';

export function createBackupHandlers(deps: HandlerDeps): Pick<Handlers, keyof BackupStepArgs> {
  return {
    'store.hold': createStoreHold(deps),
    'store.release': createStoreRelease(deps),
    'snapshot.take': createSnapshotTake(deps),
    'snapshot.drop': createSnapshotDrop(deps),
    'backup.record': createBackupRecord(deps),
    'backup.store': createBackupStore(deps),
    'backup.ready': createBackupReady(deps),
    'backup.mark': createBackupMark(deps),
    'backup.forget': createBackupForget(deps),
    'backup.check': createBackupCheck(deps),
    'db.ensure': createDbEnsure(deps),
    'restore.database': createRestoreDatabase(deps),
    'restore.files': createRestoreFiles(deps),
    'site.rewrite': createSiteRewrite(deps),
    'drill.begin': createDrillBegin(deps),
    'drill.compare': createDrillCompare(deps),
    'drill.prove': createDrillProve(deps),
    'store.look': createStoreLook(deps),
    'store.prune': createStorePrune(deps),
  };
}
