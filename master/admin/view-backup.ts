// Backups and their policies as the API's messages.
import type { SiteBackups } from '../../shared/gen/aegir/v1/admin.ts';
import type { Backup, BackupPolicy } from '../../shared/gen/aegir/v1/backup_admin.ts';
import type { Graph } from '../graph/graph.ts';
import type { SiteRecord } from '../store/model.ts';
import type { BackupPolicyRecord, BackupRecord, SiteProof } from '../store/model-backup.ts';
import { date } from './view.ts';

export function backupView(graph: Graph, backup: BackupRecord): Backup {
  const { id, siteId, siteName, state, reason, note, digest, site, problem, keep } = backup;
  return {
    ...{ id, siteId, siteName, state, reason, note, digest, problem, keep },
    service: serviceNameOf(graph, backup.serviceId),
    takenAt: date(backup.takenAt),
    bytes: BigInt(backup.bytes),
    newBytes: BigInt(backup.newBytes),
    storedBytes: BigInt(backup.storedBytes),
    chunks: BigInt(backup.chunks),
    parts: backup.parts.map(({ part }) => part),
    app: site.appVersion === '' ? site.app : `${site.app} ${site.appVersion}`,
    verifiedAt: date(backup.verifiedAt),
    provenAt: date(backup.provenAt),
    provenMillis: BigInt(backup.provenMillis),
    index: backup.digest === '' ? '' : `backups/${backup.id}.caibx`,
  };
}

function serviceNameOf(graph: Graph, id: string): string {
  const service = graph.services.find((each) => each.id === id);
  return service === undefined ? id : graph.serviceName(service);
}

/** siteId: whose policy was asked for; '' for the default. */
export function policyView(graph: Graph, policy: BackupPolicyRecord, siteId: string): BackupPolicy {
  const { everySeconds, keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly, drillEverySeconds } = policy;
  return {
    ...{ siteId, everySeconds, keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly, drillEverySeconds },
    service: policy.serviceId === null ? '' : serviceNameOf(graph, policy.serviceId),
    drillServer: policy.drillServerId === null ? '' : graph.server(policy.drillServerId).name,
    inherited: siteId !== '' && policy.id !== siteId,
  };
}

/**
 * backups: those that the site was brought back from, when it had been deleted, among them. problem: why the newest could
 * not be made; '' for nothing. undefined when there is nothing to tell.
 */
export function siteBackupsView(
  site: Pick<SiteRecord, 'proven'>,
  backups: readonly BackupRecord[],
  problem: string,
): SiteBackups | undefined {
  const whole = backups.filter(({ state }) => state === 'ready').sort((a, b) => b.takenAt - a.takenAt);
  const looked = [...backups].sort((a, b) => lookedAt(b) - lookedAt(a))[0];
  const proven = site.proven ?? lastProven(whole);
  const wrong = problem || looked?.problem || '';
  if (whole.length === 0 && proven === null && wrong === '') return undefined;
  return {
    count: whole.length,
    lastId: whole[0]?.id ?? '',
    lastAt: date(whole[0]?.takenAt),
    provenId: proven?.backupId ?? '',
    provenAt: date(proven?.at),
    provenMillis: BigInt(proven?.millis ?? 0),
    problem: wrong,
  };
}

function lastProven(backups: readonly BackupRecord[]): SiteProof | null {
  const [last] = backups
    .flatMap(({ id, provenAt, provenMillis }) =>
      provenAt === null ? [] : [{ at: provenAt, backupId: id, millis: provenMillis }],
    )
    .sort((a, b) => b.at - a.at);
  return last ?? null;
}

function lookedAt({ triedAt, verifiedAt }: BackupRecord): number {
  return Math.max(triedAt ?? 0, verifiedAt ?? 0);
}
