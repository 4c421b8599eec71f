// The one list of action kinds.
import type { ActionKind } from '../validate.ts';
import type { ActionHandler } from './action.ts';
import { createApply } from './apply.ts';
import { createCheckBackup } from './check-backup.ts';
import { createCheckService } from './check-service.ts';
import { createApplyCluster, createClusterStatus, createRemoveCluster } from './cluster.ts';
import { createDiagnose } from './diagnose.ts';
import { createExportBackup } from './export-backup.ts';
import { createFindBackups } from './find-backups.ts';
import { createInstallSite } from './install-site.ts';
import { createLoginLink } from './login-link.ts';
import { createLookFiles } from './look-files.ts';
import { createOfferPart } from './offer-part.ts';
import { createPrepareService } from './prepare-service.ts';
import { createPrepareSite } from './prepare-site.ts';
import { createProbePorts } from './probe-ports.ts';
import { createProbeShare } from './probe-share.ts';
import { createProbeSite } from './probe-site.ts';
import { createPruneStore } from './prune-store.ts';
import { createReceiveObject } from './receive-object.ts';
import { createRemove } from './remove.ts';
import { createRemoveSite } from './remove-site.ts';
import { createCloseReplica, createFollow, createOpenReplica } from './replica.ts';
import { createApplyChanges, createRestoreDatabase, createRestoreFiles } from './restore.ts';
import { createRewriteSite, createUpgradeSite } from './rewrite-site.ts';
import { createRunCron } from './run-cron.ts';
import { createSetGate } from './set-gate.ts';
import { createSiteTraffic } from './site-traffic.ts';
import { createDropSnapshot, createTakeSnapshot } from './snapshot.ts';
import { createStoreBackup } from './store-backup.ts';
import { createVerifyPlatform } from './verify-platform.ts';
import { createApplyZone, createRemoveZone } from './zone.ts';

export type ActionHandlers = { readonly [K in ActionKind]: ActionHandler<K> };

export function createActions(): ActionHandlers {
  return {
    apply: createApply(),
    remove: createRemove(),
    prepareService: createPrepareService(),
    diagnose: createDiagnose(),
    checkService: createCheckService(),
    probeShare: createProbeShare(),
    probePorts: createProbePorts(),
    verifyPlatform: createVerifyPlatform(),
    prepareSite: createPrepareSite(),
    applyZone: createApplyZone(),
    removeZone: createRemoveZone(),
    applyCluster: createApplyCluster(),
    removeCluster: createRemoveCluster(),
    clusterStatus: createClusterStatus(),
    removeSite: createRemoveSite(),
    installSite: createInstallSite(),
    loginLink: createLoginLink(),
    probeSite: createProbeSite(),
    runCron: createRunCron(),
    receiveObject: createReceiveObject(),
    openReplica: createOpenReplica(),
    follow: createFollow(),
    closeReplica: createCloseReplica(),
    lookFiles: createLookFiles(),
    takeSnapshot: createTakeSnapshot(),
    dropSnapshot: createDropSnapshot(),
    restoreFiles: createRestoreFiles(),
    restoreDatabase: createRestoreDatabase(),
    applyChanges: createApplyChanges(),
    storeBackup: createStoreBackup(),
    offerPart: createOfferPart(),
    pruneStore: createPruneStore(),
    checkBackup: createCheckBackup(),
    findBackups: createFindBackups(),
    setGate: createSetGate(),
    siteTraffic: createSiteTraffic(),
    rewriteSite: createRewriteSite(),
    upgradeSite: createUpgradeSite(),
    exportBackup: createExportBackup(),
  };
}
