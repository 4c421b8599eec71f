// Backups that go: those that a person names, and those that no policy keeps.
import { AegirError } from '../../shared/error.ts';
import type { ChangeResponse } from '../../shared/gen/aegir/v1/admin.ts';
import type { DeleteBackupRequest, PruneStoreAdminRequest } from '../../shared/gen/aegir/v1/backup_admin.ts';
import { policyOf } from '../graph/backup-policy.ts';
import type { Graph } from '../graph/graph.ts';
import { notKept } from '../graph/retention.ts';
import { requireUsable } from '../graph/rules.ts';
import { placeOf, servicesAt } from '../graph/stores.ts';
import { planDeleteBackups, planPruneStore } from '../plan/backup.ts';
import type { Plan } from '../plan/plan.ts';
import type { ServiceRecord, TaskRecord } from '../store/model.ts';
import type { BackupPolicyRecord, BackupRecord } from '../store/model-backup.ts';
import { openTasks } from '../store/open-tasks.ts';
import type { Tx } from '../store/store.ts';
import { findBackup } from './backup.ts';
import { change } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';

const MOST_AT_ONCE = 100;
/** An agent takes no more at once; what is left goes the next time. */
const MOST_PRUNED = 500;

export async function deleteBackups(
  deps: AdminDeps,
  caller: Caller,
  request: DeleteBackupRequest,
): Promise<ChangeResponse> {
  const ids = [...new Set(request.backups)];
  if (ids.length === 0 || ids.length > MOST_AT_ONCE) {
    throw new AegirError('invalid_argument', `cannot delete ${ids.length} backups: name 1 to ${MOST_AT_ONCE}`);
  }
  const backups: BackupRecord[] = [];
  for (const id of ids) backups.push(await findBackup(deps.store, id));
  const making = backups.find(({ state }) => state === 'making');
  if (making !== undefined) {
    throw new AegirError(
      'failed_precondition',
      `cannot delete backup ${making.id}: it is being made; stop that by: aegir task cancel ${making.taskId}`,
    );
  }
  if (!request.confirm && request.options?.planOnly !== true) {
    throw new AegirError('failed_precondition', `cannot delete ${ids.join(', ')}: it was not confirmed; say --yes`);
  }
  const { options, ...asked } = request;
  return change(deps, caller, options, { method: 'backup.delete', ...asked }, (graph) => {
    const [store, ...others] = backups.map(({ serviceId }) => graph.service(serviceId));
    if (store === undefined) throw new AegirError('internal', 'cannot delete backups: none is there');
    const elsewhere = others.find((other) => placeOf(other) !== placeOf(store));
    if (elsewhere !== undefined) {
      throw new AegirError(
        'invalid_argument',
        `cannot delete them at once: some are on ${graph.serviceName(store)} and some on ${graph.serviceName(elsewhere)}; name those of one`,
      );
    }
    return { plan: planDeleteBackups(graph, store, backups) };
  });
}

export async function pruneStore(
  deps: AdminDeps,
  caller: Caller,
  request: PruneStoreAdminRequest,
): Promise<ChangeResponse> {
  const backups = await deps.store.backups.find();
  const policies = await deps.store.backupPolicies.find();
  const open = await openTasks(deps.store);
  const { options, ...asked } = request;
  return change(deps, caller, options, { method: 'store.prune', ...asked }, (graph) => {
    const store = graph.service(request.service, 'file');
    requireUsable(graph, store, 'file', 'backups');
    return { plan: planPruneStore(graph, store, removable(graph, store, backups, policies, open)) };
  });
}

/**
 * Of all services that lead to the same place: those on their way out, and those that no policy keeps. Not those that an open
 * task works with, as a restore that is stuck: it needs them to go on, and the prune would wait for it.
 */
export function removable(
  graph: Graph,
  store: ServiceRecord,
  backups: readonly BackupRecord[],
  policies: readonly BackupPolicyRecord[],
  open: readonly TaskRecord[],
): readonly BackupRecord[] {
  const ids = new Set(servicesAt(graph, store).map(({ id }) => id));
  const here = backups.filter(({ serviceId }) => ids.has(serviceId));
  const going = here.filter(({ state }) => state === 'deleting');
  const bySite = Map.groupBy(here, ({ siteId }) => siteId);
  const old = [...bySite].flatMap(([siteId, own]) => notKept(own, policyOf(policies, siteId)));
  const used = new Set(open.flatMap(({ plan }) => (plan as unknown as Plan).locks));
  return [...going, ...old].filter(({ id }) => !used.has(`backup/${id}`)).slice(0, MOST_PRUNED);
}

/** A service that has backups stays known: without it nobody could read them, or remove them. */
export async function requireNoBackups(tx: Tx, graph: Graph, service: ServiceRecord): Promise<void> {
  const backups = await tx.backups.find({ serviceId: service.id });
  if (backups.length === 0) return;
  const name = graph.serviceName(service);
  throw new AegirError(
    'failed_precondition',
    `cannot remove ${name}: it has ${backups.length} ${backups.length === 1 ? 'backup' : 'backups'}; delete them first; ` +
      `see: aegir backup list --service ${name}`,
  );
}
