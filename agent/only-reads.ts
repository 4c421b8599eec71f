// Which requests change nothing, and so may be asked without a task.
import type { ValidRequest } from './validate.ts';

/** True for what may be asked without a task. */
export function onlyReads(request: ValidRequest): boolean {
  switch (request.kind) {
    case 'apply':
    case 'remove':
    case 'applyZone':
    case 'removeZone':
    case 'prepareService':
    case 'prepareSite':
    case 'removeSite':
    case 'applyCluster':
    case 'removeCluster':
    case 'pruneStore':
    case 'openReplica':
      return request.value.preview;
    case 'follow':
      return request.value.verb === 'status';
    case 'diagnose':
      // To check a file service is to write there.
      return request.value.services.length === 0;
    case 'verifyPlatform':
    case 'probeSite':
    case 'clusterStatus':
    case 'probePorts':
    case 'siteTraffic':
    case 'lookFiles':
    case 'exportBackup':
    case 'findBackups':
      return true;
    case 'checkService':
    case 'probeShare':
    case 'installSite':
    case 'loginLink':
    case 'runCron':
    case 'receiveObject':
    case 'takeSnapshot':
    case 'dropSnapshot':
    case 'restoreFiles':
    case 'restoreDatabase':
    case 'applyChanges':
    case 'storeBackup':
    case 'offerPart':
    case 'checkBackup':
    case 'closeReplica':
    case 'setGate':
    case 'rewriteSite':
    case 'upgradeSite':
      return false;
  }
}
