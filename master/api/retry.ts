// Tasks as calls of the API: for each verb, the method that it stands for. Who tries a task again, goes on with it or
// gives it up needs the right of that method: a task that an administrator left behind is no way around it.
import { AegirError, toAegirError } from '../../shared/error.ts';
import {
  AddPlatformRequest,
  AddRecordRequest,
  AddZoneRequest,
  ClusterRequest,
  ClusterServiceService,
  CreateClusterRequest,
  DeclareServiceRequest,
  EnableServiceRequest,
  HeadRequest,
  InstallSiteAdminRequest,
  LoginSiteRequest,
  MoveWriterRequest,
  PlatformServiceService,
  RebindSiteRequest,
  RemoveRecordRequest,
  ServerServiceService,
  ServiceServiceService,
  SetServiceRequest,
  SetSiteRequest,
  SetZoneRequest,
  SiteRequest,
  SiteServiceService,
  SyncClusterRequest,
  TestMeshRequest,
  VerifyPlatformAdminRequest,
  VerifyServerRequest,
  VerifyServiceRequest,
  ZoneRequest,
  ZoneServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import {
  BackupServiceService,
  CreateBackupRequest,
  DeleteBackupRequest,
  DrillBackupRequest,
  PruneStoreAdminRequest,
  RestoreBackupRequest,
  VerifyBackupRequest,
} from '../../shared/gen/aegir/v1/backup_admin.ts';
import { CloneSiteRequest, MigrateSiteRequest, MoveServiceService } from '../../shared/gen/aegir/v1/move_admin.ts';
import type { Role } from '../../shared/vocabulary.ts';
import { audit } from '../admin/audit.ts';
import type { AdminDeps } from '../admin/deps.ts';
import type { Verbs } from '../admin/task.ts';
import { secretKeysOf } from '../admin/view-task.ts';
import type { Verb } from '../plan/verbs.ts';
import type { JsonObject } from '../store/model.ts';
import type { Method } from './methods.ts';
import { inWords, mayCall, RIGHTS, requireRole } from './rights.ts';

interface Standing {
  readonly path: string;
  /** The method's request, from what a plan keeps of it. */
  readonly request: { fromJSON(asked: JsonObject): object };
  /** A role that it takes besides that of the method. */
  readonly also?: (asked: JsonObject) => Role | undefined;
}

const of = (method: { readonly path: string }, request: Standing['request'], also?: Standing['also']): Standing => ({
  path: method.path,
  request,
  ...(also === undefined ? {} : { also }),
});

export const STANDS_FOR: Readonly<Record<Verb, Standing>> = {
  'site.install': of(SiteServiceService.installSite, InstallSiteAdminRequest),
  'site.verify': of(SiteServiceService.verifySite, SiteRequest),
  'site.enable': of(SiteServiceService.enableSite, SiteRequest),
  'site.disable': of(SiteServiceService.disableSite, SiteRequest),
  'site.delete': of(SiteServiceService.deleteSite, SiteRequest),
  'site.login': of(SiteServiceService.loginSite, LoginSiteRequest),
  'site.set': of(SiteServiceService.setSite, SetSiteRequest, (asked) =>
    asked['webSnippet'] === undefined ? undefined : 'admin',
  ),
  'site.certify': of(SiteServiceService.certifySite, SiteRequest),
  'site.cron': of(SiteServiceService.cronSite, SiteRequest),
  'site.migrate': of(MoveServiceService.migrateSite, MigrateSiteRequest),
  'site.rebind': of(SiteServiceService.rebindSite, RebindSiteRequest),
  'site.clone': of(MoveServiceService.cloneSite, CloneSiteRequest),
  'platform.add': of(PlatformServiceService.addPlatform, AddPlatformRequest),
  'platform.verify': of(PlatformServiceService.verifyPlatform, VerifyPlatformAdminRequest),
  'service.enable': of(ServiceServiceService.enableService, EnableServiceRequest),
  'service.verify': of(ServiceServiceService.verifyService, VerifyServiceRequest),
  'service.declare': of(ServiceServiceService.declareService, DeclareServiceRequest),
  'service.set': of(ServiceServiceService.setService, SetServiceRequest),
  'zone.add': of(ZoneServiceService.addZone, AddZoneRequest),
  'zone.set': of(ZoneServiceService.setZone, SetZoneRequest),
  'zone.verify': of(ZoneServiceService.verifyZone, ZoneRequest),
  'zone.remove': of(ZoneServiceService.removeZone, ZoneRequest),
  'record.add': of(ZoneServiceService.addRecord, AddRecordRequest),
  'record.remove': of(ZoneServiceService.removeRecord, RemoveRecordRequest),
  'cluster.create': of(ClusterServiceService.createCluster, CreateClusterRequest),
  'cluster.add': of(ClusterServiceService.addHead, HeadRequest),
  'cluster.drain': of(ClusterServiceService.drainHead, HeadRequest),
  'cluster.activate': of(ClusterServiceService.activateHead, HeadRequest),
  'cluster.remove': of(ClusterServiceService.removeHead, HeadRequest),
  'cluster.verify': of(ClusterServiceService.verifyCluster, ClusterRequest),
  'cluster.delete': of(ClusterServiceService.deleteCluster, ClusterRequest),
  'cluster.sync': of(ClusterServiceService.syncCluster, SyncClusterRequest),
  'cluster.writer': of(ClusterServiceService.moveWriter, MoveWriterRequest),
  'site.backup': of(BackupServiceService.createBackup, CreateBackupRequest),
  'backup.restore': of(BackupServiceService.restoreBackup, RestoreBackupRequest),
  'backup.verify': of(BackupServiceService.verifyBackup, VerifyBackupRequest),
  'backup.drill': of(BackupServiceService.drillBackup, DrillBackupRequest),
  'backup.delete': of(BackupServiceService.deleteBackup, DeleteBackupRequest),
  'store.prune': of(BackupServiceService.pruneStore, PruneStoreAdminRequest),
  'mesh.test': of(ServerServiceService.testMesh, TestMeshRequest),
  'server.verify': of(ServerServiceService.verifyServer, VerifyServerRequest),
};

/** undefined for a verb that another version of the master made. */
function standingOf(verb: unknown): Standing | undefined {
  return typeof verb === 'string' && Object.hasOwn(STANDS_FOR, verb) ? STANDS_FOR[verb as Verb] : undefined;
}

export function createVerbs(deps: AdminDeps, methods: ReadonlyMap<string, Method>): Verbs {
  const verbs: Verbs = {
    requireRight(caller, verb, asked) {
      for (const each of new Set([verb, String(asked?.['method'] ?? verb)])) {
        const standing = standingOf(each);
        // A verb that this master does not know: what it takes is not known either.
        const needed = standing === undefined ? 'admin' : RIGHTS[standing.path];
        const doing = standing === undefined ? `go on with a task of ${JSON.stringify(each)}` : inWords(standing.path);
        try {
          requireRole(caller, needed, doing);
          const also = standing?.also?.(asked ?? {});
          if (also !== undefined) requireRole(caller, also, doing);
        } catch (refused) {
          const method = standing?.path ?? 'no method of ours';
          deps.denied({ actor: caller.actor, method, outcome: toAegirError(refused, doing).code });
          throw refused;
        }
      }
    },
    async askAgain(caller, asked, subject) {
      const verb = asked['method'];
      const standing = standingOf(verb);
      const call = standing === undefined ? undefined : methods.get(standing.path)?.unary;
      if (standing === undefined || call === undefined) {
        const why = 'this master does not know it; ask again';
        throw new AegirError('unimplemented', `cannot retry ${JSON.stringify(verb)}: ${why}`);
      }
      verbs.requireRight(caller, String(verb), asked);
      requireNoSecrets(asked);
      const reads = mayCall('viewer', standing.path);
      const note = (outcome: string) => audit(deps, caller, standing.path, subject, outcome);
      try {
        const answer = await call(caller, { ...standing.request.fromJSON(asked), options: undefined });
        if (!reads) await note('ok');
        return answer;
      } catch (thrown) {
        if (!reads) await note(toAegirError(thrown, 'retry the task').code);
        throw thrown;
      }
    },
  };
  return verbs;
}

/** They are in no plan, so a retry would go without them. */
function requireNoSecrets(asked: JsonObject): void {
  const keys = secretKeysOf(asked);
  if (keys.length === 0) return;
  throw new AegirError(
    'failed_precondition',
    `cannot retry it: it came with secrets (${keys.join(', ')}), which plans do not keep; ask again with them`,
  );
}
