// Which role each method of the Admin API needs. A method that is not here is denied to everyone.
import { AegirError } from '../../shared/error.ts';
import type { Role } from '../../shared/vocabulary.ts';

export const RIGHTS: Readonly<Record<string, Role>> = {
  '/aegir.v1.ServerService/ListServers': 'viewer',
  '/aegir.v1.ServerService/GetServer': 'viewer',
  '/aegir.v1.ServerService/GetServerReport': 'viewer',
  '/aegir.v1.ServerService/DetectServer': 'operator',
  '/aegir.v1.ServerService/VerifyServer': 'operator',
  '/aegir.v1.ServerService/TestMesh': 'operator',
  '/aegir.v1.ServerService/AcceptServer': 'admin',
  '/aegir.v1.ServerService/RevokeServer': 'admin',
  '/aegir.v1.ServerService/RemoveServer': 'admin',
  '/aegir.v1.ServerService/GetJoinCommand': 'admin',
  '/aegir.v1.ServiceService/ListServices': 'viewer',
  '/aegir.v1.ServiceService/GetService': 'viewer',
  '/aegir.v1.ServiceService/EnableService': 'admin',
  '/aegir.v1.ServiceService/VerifyService': 'operator',
  '/aegir.v1.ServiceService/DisableService': 'admin',
  '/aegir.v1.ServiceService/DeclareService': 'admin',
  '/aegir.v1.ServiceService/SetService': 'admin',
  '/aegir.v1.ServiceService/RemoveService': 'admin',
  '/aegir.v1.ZoneService/ListZones': 'viewer',
  '/aegir.v1.ZoneService/GetZone': 'viewer',
  '/aegir.v1.ZoneService/AddZone': 'operator',
  '/aegir.v1.ZoneService/SetZone': 'operator',
  '/aegir.v1.ZoneService/VerifyZone': 'operator',
  '/aegir.v1.ZoneService/RemoveZone': 'operator',
  '/aegir.v1.ZoneService/ListRecords': 'viewer',
  '/aegir.v1.ZoneService/AddRecord': 'operator',
  '/aegir.v1.ZoneService/RemoveRecord': 'operator',
  '/aegir.v1.ClusterService/ListClusters': 'viewer',
  '/aegir.v1.ClusterService/GetCluster': 'viewer',
  '/aegir.v1.ClusterService/CreateCluster': 'admin',
  '/aegir.v1.ClusterService/AddHead': 'admin',
  '/aegir.v1.ClusterService/DrainHead': 'operator',
  '/aegir.v1.ClusterService/ActivateHead': 'operator',
  '/aegir.v1.ClusterService/RemoveHead': 'admin',
  '/aegir.v1.ClusterService/VerifyCluster': 'operator',
  '/aegir.v1.ClusterService/DeleteCluster': 'admin',
  '/aegir.v1.ClusterService/SyncCluster': 'operator',
  '/aegir.v1.ClusterService/MoveWriter': 'operator',
  '/aegir.v1.PlatformService/ListPlatforms': 'viewer',
  '/aegir.v1.PlatformService/GetPlatform': 'viewer',
  '/aegir.v1.PlatformService/AddPlatform': 'operator',
  '/aegir.v1.PlatformService/VerifyPlatform': 'operator',
  '/aegir.v1.PlatformService/RemovePlatform': 'operator',
  '/aegir.v1.SiteService/ListSites': 'viewer',
  '/aegir.v1.SiteService/GetSite': 'viewer',
  '/aegir.v1.SiteService/InstallSite': 'operator',
  '/aegir.v1.SiteService/VerifySite': 'operator',
  '/aegir.v1.SiteService/EnableSite': 'operator',
  '/aegir.v1.SiteService/DisableSite': 'operator',
  '/aegir.v1.SiteService/DeleteSite': 'operator',
  '/aegir.v1.SiteService/LoginSite': 'operator',
  '/aegir.v1.SiteService/SetSite': 'operator',
  '/aegir.v1.SiteService/CertifySite': 'operator',
  '/aegir.v1.SiteService/CronSite': 'operator',
  '/aegir.v1.SiteService/RebindSite': 'operator',
  '/aegir.v1.SiteService/GetUsage': 'viewer',
  '/aegir.v1.ClientService/ListClients': 'viewer',
  '/aegir.v1.ClientService/AddClient': 'operator',
  '/aegir.v1.ClientService/RemoveClient': 'operator',
  '/aegir.v1.TaskService/ListTasks': 'viewer',
  '/aegir.v1.TaskService/GetTask': 'viewer',
  // Events carry login links: those who may make links may see them; viewers get the events without values.
  '/aegir.v1.TaskService/WatchTask': 'viewer',
  '/aegir.v1.TaskService/CancelTask': 'operator',
  '/aegir.v1.TaskService/RetryTask': 'operator',
  '/aegir.v1.TaskService/SkipWait': 'operator',
  '/aegir.v1.TokenService/ListTokens': 'admin',
  '/aegir.v1.TokenService/CreateToken': 'admin',
  '/aegir.v1.TokenService/RevokeToken': 'admin',
  '/aegir.v1.AuditService/ListAudit': 'admin',
  '/aegir.v1.MoveService/CloneSite': 'operator',
  '/aegir.v1.MoveService/MigrateSite': 'operator',
  '/aegir.v1.MoveService/MigrateMany': 'operator',
  '/aegir.v1.MoveService/GetMoveBatch': 'viewer',
  '/aegir.v1.MoveService/ListMoveBatches': 'viewer',
  '/aegir.v1.MoveService/StopMoveBatch': 'operator',
  '/aegir.v1.MoveService/ResumeMoveBatch': 'operator',
  '/aegir.v1.BackupService/ListBackups': 'viewer',
  '/aegir.v1.BackupService/GetBackup': 'viewer',
  '/aegir.v1.BackupService/CreateBackup': 'operator',
  '/aegir.v1.BackupService/RestoreBackup': 'operator',
  '/aegir.v1.BackupService/VerifyBackup': 'operator',
  '/aegir.v1.BackupService/DrillBackup': 'operator',
  '/aegir.v1.BackupService/DeleteBackup': 'operator',
  '/aegir.v1.BackupService/PruneStore': 'operator',
  // All that a site holds, its secrets and people's data among it.
  '/aegir.v1.BackupService/ExportBackup': 'admin',
  '/aegir.v1.BackupService/GetBackupPolicy': 'viewer',
  '/aegir.v1.BackupService/SetBackupPolicy': 'operator',
  '/aegir.v1.BackupService/ExportStoreKey': 'admin',
  '/aegir.v1.GraphService/GetGraph': 'viewer',
  '/aegir.v1.GraphService/GetStatus': 'viewer',
};

const RANK: Readonly<Record<Role, number>> = { viewer: 1, operator: 2, admin: 3 };

/** To plan it has an agent look at a path of the caller's own choosing. */
const PLANS_LOOK: ReadonlySet<string> = new Set(['/aegir.v1.PlatformService/AddPlatform']);

/**
 * What operators change, everybody who may look may plan, but for what has agents look at what the caller names. What
 * only administrators change stays theirs: to plan it has agents try addresses of servers elsewhere, too.
 */
export function mayPlan(role: Role, path: string): boolean {
  return RIGHTS[path] === 'operator' && RANK[role] >= RANK.viewer && !PLANS_LOOK.has(path);
}

/** Says which role it takes. */
export function requireRole(caller: { readonly role: Role }, needed: Role | undefined, doing: string): void {
  if (needed !== undefined && RANK[caller.role] >= RANK[needed]) return;
  throw new AegirError(
    'permission_denied',
    `cannot ${doing}: it needs the role ${needed ?? 'of nobody'}, and that of this token is ${caller.role}`,
  );
}

/** "/aegir.v1.SiteService/InstallSite" as "install site". */
export function inWords(path: string): string {
  const method = path.split('/').at(-1) ?? path;
  return method.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
}

export function mayCall(role: Role, path: string): boolean {
  const needed = RIGHTS[path];
  return needed !== undefined && RANK[role] >= RANK[needed];
}
