// Every method of the Admin API and the admin function that does it. gRPC and, later, HTTP/JSON both call these.
import {
  AuditServiceService,
  ClientServiceService,
  ClusterServiceService,
  GraphServiceService,
  PlatformServiceService,
  ServerServiceService,
  ServiceServiceService,
  SiteServiceService,
  TaskServiceService,
  TokenServiceService,
  ZoneServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import { BackupServiceService } from '../../shared/gen/aegir/v1/backup_admin.ts';
import type { Event } from '../../shared/gen/aegir/v1/event.ts';
import { MoveServiceService } from '../../shared/gen/aegir/v1/move_admin.ts';
import { listAudit } from '../admin/audit-log.ts';
import { addClient, listClients, removeClient } from '../admin/client.ts';
import {
  activateHead,
  addHead,
  createCluster,
  deleteCluster,
  drainHead,
  getCluster,
  listClusters,
  removeHead,
  verifyCluster,
} from '../admin/cluster.ts';
import { declareService, removeService, setService } from '../admin/declare-service.ts';
import type { AdminDeps, Caller } from '../admin/deps.ts';
import { addRecord, listRecords, removeRecord } from '../admin/dns-record.ts';
import { exportBackup } from '../admin/export-backup.ts';
import { getGraph, getStatus } from '../admin/graph.ts';
import { installSite } from '../admin/install-site.ts';
import { testMesh } from '../admin/mesh.ts';
import { addPlatform, getPlatform, listPlatforms, removePlatform, verifyPlatform } from '../admin/platform.ts';
import { rebindSite } from '../admin/rebind-site.ts';
import { removeServer } from '../admin/remove-server.ts';
import { revokeServer } from '../admin/revoke-server.ts';
import {
  acceptServer,
  detectServer,
  getJoinCommand,
  getServer,
  getServerReport,
  listServers,
  verifyServer,
} from '../admin/server.ts';
import { disableService, enableService, getService, listServices, verifyService } from '../admin/service.ts';
import { certifySite, setSite } from '../admin/set-site.ts';
import {
  cronSite,
  deleteSite,
  disableSite,
  enableSite,
  getSite,
  listSites,
  loginSite,
  verifySite,
} from '../admin/site.ts';
import { skipWait } from '../admin/skip-wait.ts';
import { moveWriter, syncCluster } from '../admin/spread.ts';
import { cancelTask, getTask, listTasks, retryTask, watchTask } from '../admin/task.ts';
import { createToken, listTokens, revokeToken } from '../admin/token.ts';
import { getUsage } from '../admin/usage.ts';
import { addZone, getZone, listZones, removeZone, setZone, verifyZone } from '../admin/zone.ts';
import { backupMethods } from './backup-methods.ts';
import { moveMethods } from './move-methods.ts';
import { createVerbs } from './retry.ts';

// biome-ignore lint/suspicious/noExplicitAny: each method has its own request and response; the definitions decode them
type AnyMessage = any;
export type Unary = (caller: Caller, request: AnyMessage) => Promise<AnyMessage>;

export interface Method {
  readonly path: string;
  readonly unary?: Unary;
  readonly stream?: (caller: Caller, request: AnyMessage, signal: AbortSignal) => AsyncIterable<AnyMessage>;
}

export const ADMIN_SERVICES = [
  ServerServiceService,
  ServiceServiceService,
  PlatformServiceService,
  SiteServiceService,
  ClientServiceService,
  TaskServiceService,
  TokenServiceService,
  GraphServiceService,
  ZoneServiceService,
  ClusterServiceService,
  AuditServiceService,
  BackupServiceService,
  MoveServiceService,
] as const;

export function createMethods(deps: AdminDeps): ReadonlyMap<string, Method> {
  const methods = new Map<string, Method>();
  const verbs = createVerbs(deps, methods);
  const unary: Record<string, Unary> = {
    [AuditServiceService.listAudit.path]: (_, request) => listAudit(deps, request),
    [ServerServiceService.listServers.path]: (_, request) => listServers(deps, request),
    [ServerServiceService.getServer.path]: (_, request) => getServer(deps, request),
    [ServerServiceService.acceptServer.path]: (caller, request) => acceptServer(deps, caller, request),
    [ServerServiceService.revokeServer.path]: (_, request) => revokeServer(deps, request),
    [ServerServiceService.removeServer.path]: (_, request) => removeServer(deps, request),
    [ServerServiceService.getServerReport.path]: (_, request) => getServerReport(deps, request),
    [ServerServiceService.verifyServer.path]: (caller, request) => verifyServer(deps, caller, request),
    [ServerServiceService.testMesh.path]: (caller, request) => testMesh(deps, caller, request),
    [ServerServiceService.detectServer.path]: (_, request) => detectServer(deps, request),
    [ServerServiceService.getJoinCommand.path]: (caller, request) => getJoinCommand(deps, caller, request),
    [ServiceServiceService.listServices.path]: (_, request) => listServices(deps, request),
    [ServiceServiceService.getService.path]: (_, request) => getService(deps, request),
    [ServiceServiceService.enableService.path]: (caller, request) => enableService(deps, caller, request),
    [ServiceServiceService.verifyService.path]: (caller, request) => verifyService(deps, caller, request),
    [ServiceServiceService.disableService.path]: (_, request) => disableService(deps, request),
    [ServiceServiceService.declareService.path]: (caller, request) => declareService(deps, caller, request),
    [ServiceServiceService.setService.path]: (caller, request) => setService(deps, caller, request),
    [ServiceServiceService.removeService.path]: (_, request) => removeService(deps, request),
    [ZoneServiceService.listZones.path]: (_, request) => listZones(deps, request),
    [ZoneServiceService.getZone.path]: (_, request) => getZone(deps, request),
    [ZoneServiceService.addZone.path]: (caller, request) => addZone(deps, caller, request),
    [ZoneServiceService.setZone.path]: (caller, request) => setZone(deps, caller, request),
    [ZoneServiceService.verifyZone.path]: (caller, request) => verifyZone(deps, caller, request),
    [ZoneServiceService.removeZone.path]: (caller, request) => removeZone(deps, caller, request),
    [ZoneServiceService.listRecords.path]: (_, request) => listRecords(deps, request),
    [ZoneServiceService.addRecord.path]: (caller, request) => addRecord(deps, caller, request),
    [ZoneServiceService.removeRecord.path]: (caller, request) => removeRecord(deps, caller, request),
    [ClusterServiceService.listClusters.path]: (_, request) => listClusters(deps, request),
    [ClusterServiceService.getCluster.path]: (_, request) => getCluster(deps, request),
    [ClusterServiceService.createCluster.path]: (caller, request) => createCluster(deps, caller, request),
    [ClusterServiceService.addHead.path]: (caller, request) => addHead(deps, caller, request),
    [ClusterServiceService.drainHead.path]: (caller, request) => drainHead(deps, caller, request),
    [ClusterServiceService.activateHead.path]: (caller, request) => activateHead(deps, caller, request),
    [ClusterServiceService.removeHead.path]: (caller, request) => removeHead(deps, caller, request),
    [ClusterServiceService.verifyCluster.path]: (caller, request) => verifyCluster(deps, caller, request),
    [ClusterServiceService.deleteCluster.path]: (caller, request) => deleteCluster(deps, caller, request),
    [ClusterServiceService.syncCluster.path]: (caller, request) => syncCluster(deps, caller, request),
    [ClusterServiceService.moveWriter.path]: (caller, request) => moveWriter(deps, caller, request),
    [PlatformServiceService.listPlatforms.path]: (_, request) => listPlatforms(deps, request),
    [PlatformServiceService.getPlatform.path]: (_, request) => getPlatform(deps, request),
    [PlatformServiceService.addPlatform.path]: (caller, request) => addPlatform(deps, caller, request),
    [PlatformServiceService.verifyPlatform.path]: (caller, request) => verifyPlatform(deps, caller, request),
    [PlatformServiceService.removePlatform.path]: (_, request) => removePlatform(deps, request),
    [SiteServiceService.listSites.path]: (caller, request) => listSites(deps, caller, request),
    [SiteServiceService.getSite.path]: (caller, request) => getSite(deps, caller, request),
    [SiteServiceService.installSite.path]: (caller, request) => installSite(deps, caller, request),
    [SiteServiceService.verifySite.path]: (caller, request) => verifySite(deps, caller, request),
    [SiteServiceService.enableSite.path]: (caller, request) => enableSite(deps, caller, request),
    [SiteServiceService.disableSite.path]: (caller, request) => disableSite(deps, caller, request),
    [SiteServiceService.deleteSite.path]: (caller, request) => deleteSite(deps, caller, request),
    [SiteServiceService.loginSite.path]: (caller, request) => loginSite(deps, caller, request),
    [SiteServiceService.setSite.path]: (caller, request) => setSite(deps, caller, request),
    [SiteServiceService.certifySite.path]: (caller, request) => certifySite(deps, caller, request),
    [SiteServiceService.cronSite.path]: (caller, request) => cronSite(deps, caller, request),
    [SiteServiceService.rebindSite.path]: (caller, request) => rebindSite(deps, caller, request),
    [SiteServiceService.getUsage.path]: (_, request) => getUsage(deps, request),
    [ClientServiceService.listClients.path]: (_, request) => listClients(deps, request),
    [ClientServiceService.addClient.path]: (_, request) => addClient(deps, request),
    [ClientServiceService.removeClient.path]: (_, request) => removeClient(deps, request),
    [TaskServiceService.listTasks.path]: (_, request) => listTasks(deps, request),
    [TaskServiceService.getTask.path]: (_, request) => getTask(deps, request),
    [TaskServiceService.cancelTask.path]: (caller, request) => cancelTask(deps, caller, request, verbs),
    [TaskServiceService.retryTask.path]: (caller, request) => retryTask(deps, caller, request, verbs),
    [TaskServiceService.skipWait.path]: (caller, request) => skipWait(deps, caller, request, verbs),
    [TokenServiceService.listTokens.path]: (_, request) => listTokens(deps, request),
    [TokenServiceService.createToken.path]: (_, request) => createToken(deps, request),
    [TokenServiceService.revokeToken.path]: (_, request) => revokeToken(deps, request),
    [GraphServiceService.getGraph.path]: () => getGraph(deps),
    [GraphServiceService.getStatus.path]: () => getStatus(deps),
    ...backupMethods(deps),
    ...moveMethods(deps),
  };
  for (const [path, call] of Object.entries(unary)) methods.set(path, { path, unary: call });
  methods.set(BackupServiceService.exportBackup.path, {
    path: BackupServiceService.exportBackup.path,
    stream: (_, request, signal) => exportBackup(deps, request, signal),
  });
  const { path } = TaskServiceService.watchTask;
  methods.set(path, { path, stream: (caller, request, signal) => watchFor(deps, caller, request, signal) });
  return methods;
}

/** Login links are for those who could make one: a viewer sees that there is one, not its value. */
async function* watchFor(
  deps: AdminDeps,
  caller: Caller,
  request: AnyMessage,
  signal: AbortSignal,
): AsyncIterable<Event> {
  for await (const event of watchTask(deps, request, signal)) {
    if (caller.role === 'viewer' && event.body?.$case === 'message') {
      yield { ...event, body: { $case: 'message', value: { ...event.body.value, value: '' } } };
    } else yield event;
  }
}
