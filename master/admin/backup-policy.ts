// What is done for backups by itself: read and change it.
import { AegirError } from '../../shared/error.ts';
import type {
  BackupPolicy,
  GetBackupPolicyRequest,
  SetBackupPolicyRequest,
} from '../../shared/gen/aegir/v1/backup_admin.ts';
import { NO_POLICY, policyOf } from '../graph/backup-policy.ts';
import { requireUsable } from '../graph/rules.ts';
import { chooseStore } from '../graph/stores.ts';
import { spanOf } from '../plan/move-steps.ts';
import { type BackupPolicyRecord, DEFAULT_POLICY } from '../store/model-backup.ts';
import type { AdminDeps } from './deps.ts';
import { loadGraph } from './load.ts';
import { findSite } from './site.ts';
import { policyView } from './view-backup.ts';

const MOST_KEPT = 10_000;
const EVERY = { least: 900, most: 2_678_400 } as const;
const DRILLS = { least: 86_400, most: 31_622_400 } as const;

export async function getBackupPolicy(deps: AdminDeps, request: GetBackupPolicyRequest): Promise<BackupPolicy> {
  const graph = await loadGraph(deps.store);
  const siteId = request.site === '' ? '' : findSite(graph, request.site).id;
  const policy = policyOf(await deps.store.backupPolicies.find(), siteId || DEFAULT_POLICY);
  return policyView(graph, policy, siteId);
}

/**
 * Repeatable. What is not said stays; a site's first own policy begins as a copy of the default. Throws failed_precondition,
 * with what to name, when backups are to be made and nobody could choose their place.
 */
export async function setBackupPolicy(deps: AdminDeps, request: SetBackupPolicyRequest): Promise<BackupPolicy> {
  checkSeconds(request.everySeconds, EVERY, 'between two backups');
  checkSeconds(request.drillEverySeconds, DRILLS, 'between two drills');
  const counts = ['keepLast', 'keepDaily', 'keepWeekly', 'keepMonthly', 'keepYearly'] as const;
  for (const key of counts) {
    if ((request[key] ?? 0) <= MOST_KEPT) continue;
    throw new AegirError('invalid_argument', `cannot keep so many backups: ${MOST_KEPT} of each sort are the most`);
  }
  return deps.store.transaction(async (tx) => {
    const graph = await loadGraph(tx);
    const siteId = request.site === '' ? '' : findSite(graph, request.site).id;
    const id = siteId || DEFAULT_POLICY;
    const policies = await tx.backupPolicies.find();
    if (request.inherit) {
      if (siteId === '')
        throw new AegirError('invalid_argument', 'cannot inherit the default: it is what is inherited');
      await tx.backupPolicies.delete(siteId);
      return policyView(
        graph,
        policyOf(
          policies.filter((each) => each.id !== siteId),
          siteId,
        ),
        siteId,
      );
    }
    const own = policies.find((each) => each.id === id);
    const before = own ?? policyOf(policies, siteId) ?? NO_POLICY;
    const service =
      request.service === undefined || request.service === '' ? undefined : graph.service(request.service, 'file');
    if (service !== undefined) requireUsable(graph, service, 'file', 'backups');
    const server =
      request.drillServer === undefined || request.drillServer === '' ? undefined : graph.server(request.drillServer);
    const policy: BackupPolicyRecord = {
      id,
      everySeconds: request.everySeconds ?? before.everySeconds,
      serviceId: request.service === undefined ? before.serviceId : (service?.id ?? null),
      keepLast: request.keepLast ?? before.keepLast,
      keepDaily: request.keepDaily ?? before.keepDaily,
      keepWeekly: request.keepWeekly ?? before.keepWeekly,
      keepMonthly: request.keepMonthly ?? before.keepMonthly,
      keepYearly: request.keepYearly ?? before.keepYearly,
      drillEverySeconds: request.drillEverySeconds ?? before.drillEverySeconds,
      drillServerId: request.drillServer === undefined ? before.drillServerId : (server?.id ?? null),
    };
    if (policy.everySeconds > 0 && [request.everySeconds, request.service].some((said) => said !== undefined)) {
      const whose = siteId === '' ? 'backups' : `the backups of ${graph.site(siteId).name}`;
      chooseStore(graph, '', policy.serviceId, `${whose} that are made by themselves`);
    }
    const { id: _, ...patch } = policy;
    if (own === undefined) await tx.backupPolicies.insert(policy);
    else await tx.backupPolicies.update(id, patch);
    return policyView(graph, policy, siteId);
  });
}

function checkSeconds(seconds: number | undefined, { least, most }: { least: number; most: number }, what: string) {
  if (seconds === undefined || seconds === 0 || (seconds >= least && seconds <= most)) return;
  throw new AegirError(
    'invalid_argument',
    `cannot use ${spanOf(seconds)} ${what}: ${spanOf(least)} to ${spanOf(most)} are possible, or off for none`,
  );
}
