// The one list of step handlers.
import type { Handlers } from '../handler.ts';
import type { HandlerDeps } from '../parts.ts';
import { createBackupHandlers } from './backup.ts';
import {
  createCertificateEnsure,
  createCertificateFetch,
  createCertificateOrder,
  createCertificateProve,
  createCertificateTidy,
} from './certificate.ts';
import {
  createClusterApply,
  createClusterAwait,
  createClusterPause,
  createClusterRemove,
  createClusterRestore,
  createHeadForget,
  createHeadRecord,
} from './cluster.ts';
import { createCopyDatabase, createCopyFiles } from './copy.ts';
import { createDbCreate } from './db-create.ts';
import { createDbDrop, createDbFree } from './db-drop.ts';
import { createDbFreeze, createDbGuard, createDbUnguard } from './db-freeze.ts';
import {
  createSecretsForget,
  createServiceDeclare,
  createServiceForget,
  createServiceSet,
} from './declared-service.ts';
import { createDnsPublish, createDnsUnpublish } from './dns.ts';
import { createDnsAwait } from './dns-await.ts';
import { createGateClose, createGateForward, createGateHold } from './gate.ts';
import { createHttpPublish } from './http-publish.ts';
import { createHttpUnpublish } from './http-unpublish.ts';
import { createMeshProbe } from './mesh-probe.ts';
import {
  createMoveCheck,
  createMoveQuiet,
  createMoveReach,
  createMoveWait,
  createSiteMove,
  createSitePlace,
} from './move.ts';
import { createPlatformVerify } from './platform-verify.ts';
import { createReplicaClose, createReplicaFinish, createReplicaFollow, createReplicaOpen } from './replica.ts';
import { createServerDetect, createServerDiagnose, createServiceEnable, createServicePrepare } from './server.ts';
import { createServerJudge, createServerPorts, createServerReport } from './server-report.ts';
import { createServiceCheck, createShareJudge, createShareLeave, createShareLook } from './service-check.ts';
import {
  createSiteCron,
  createSiteInstall,
  createSiteLogin,
  createSitePrepare,
  createSiteProbe,
  createSiteRemove,
  createSiteUpgrade,
} from './site-host.ts';
import { createSiteRebind } from './site-rebind.ts';
import { createSiteForget, createSiteRecord } from './site-record.ts';
import { createSecretsKeep, createSiteRestore, createSiteSet } from './site-set.ts';
import { createSiteWriter, createSpreadTidy, createSyncFiles } from './spread.ts';
import { createStoreRequire } from './store-find.ts';
import { createVerifyPart } from './verify-part.ts';
import {
  createZoneApply,
  createZoneDeclare,
  createZoneForget,
  createZonePublish,
  createZoneRecord,
  createZoneRemove,
  createZoneSet,
} from './zone.ts';

export function createHandlers(deps: HandlerDeps): Handlers {
  const parts = {
    'http.publish': createHttpPublish(deps),
    'db.create': createDbCreate(deps),
    'site.prepare': createSitePrepare(deps),
    'service.prepare': createServicePrepare(deps),
  };
  return {
    ...parts,
    ...createBackupHandlers(deps),
    'http.unpublish': createHttpUnpublish(deps),
    'db.drop': createDbDrop(deps),
    'db.free': createDbFree(deps),
    'dns.publish': createDnsPublish(deps),
    'dns.unpublish': createDnsUnpublish(deps),
    'dns.await': createDnsAwait(deps),
    'move.wait': createMoveWait(),
    'site.remove': createSiteRemove(deps),
    'site.install': createSiteInstall(deps),
    'site.probe': createSiteProbe(deps),
    'site.cron': createSiteCron(deps),
    'site.login': createSiteLogin(deps),
    'site.record': createSiteRecord(deps),
    'site.forget': createSiteForget(deps),
    'site.restore': createSiteRestore(deps),
    'secrets.keep': createSecretsKeep(deps),
    'site.set': createSiteSet(deps),
    'site.rebind': createSiteRebind(deps),
    'certificate.ensure': createCertificateEnsure(deps),
    'certificate.tidy': createCertificateTidy(deps),
    'certificate.order': createCertificateOrder(deps),
    'certificate.prove': createCertificateProve(deps),
    'certificate.fetch': createCertificateFetch(deps),
    'platform.verify': createPlatformVerify(deps),
    'service.enable': createServiceEnable(deps),
    'service.check': createServiceCheck(deps),
    'share.leave': createShareLeave(deps),
    'share.look': createShareLook(deps),
    'share.judge': createShareJudge(deps),
    'service.declare': createServiceDeclare(deps),
    'store.require': createStoreRequire(deps),
    'service.set': createServiceSet(deps),
    'secrets.forget': createSecretsForget(deps),
    'zone.apply': createZoneApply(deps),
    'zone.remove': createZoneRemove(deps),
    'zone.publish': createZonePublish(deps),
    'zone.record': createZoneRecord(deps),
    'zone.set': createZoneSet(deps),
    'zone.declare': createZoneDeclare(deps),
    'zone.forget': createZoneForget(deps),
    'service.forget': createServiceForget(deps),
    'cluster.apply': createClusterApply(deps),
    'cluster.restore': createClusterRestore(deps),
    'cluster.await': createClusterAwait(deps),
    'cluster.pause': createClusterPause(),
    'cluster.remove': createClusterRemove(deps),
    'head.record': createHeadRecord(deps),
    'head.forget': createHeadForget(deps),
    'server.detect': createServerDetect(deps),
    'server.diagnose': createServerDiagnose(deps),
    'mesh.probe': createMeshProbe(deps),
    'server.ports': createServerPorts(deps),
    'server.report': createServerReport(deps),
    'server.judge': createServerJudge(deps),
    'site.move': createSiteMove(deps),
    'site.place': createSitePlace(deps),
    'site.upgrade': createSiteUpgrade(deps),
    'move.check': createMoveCheck(deps),
    'move.reach': createMoveReach(deps),
    'move.quiet': createMoveQuiet(deps),
    'copy.files': createCopyFiles(deps),
    'sync.files': createSyncFiles(deps),
    'site.writer': createSiteWriter(deps),
    'spread.tidy': createSpreadTidy(deps),
    'copy.database': createCopyDatabase(deps),
    'db.freeze': createDbFreeze(deps),
    'db.guard': createDbGuard(deps),
    'db.unguard': createDbUnguard(deps),
    'gate.hold': createGateHold(deps),
    'gate.forward': createGateForward(deps),
    'gate.close': createGateClose(deps),
    'replica.open': createReplicaOpen(deps),
    'replica.follow': createReplicaFollow(deps),
    'replica.finish': createReplicaFinish(deps),
    'replica.close': createReplicaClose(deps),
    'verify.part': createVerifyPart(deps, parts),
  };
}
