// Forgets a place for backups whose server is gone for good.
import { AegirError } from '../../shared/error.ts';
import type { RemoveServiceRequest, Service } from '../../shared/gen/aegir/v1/admin.ts';
import { displayName } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';
import { requireUnused } from '../graph/rules.ts';
import { planRemoveService } from '../plan/change-service.ts';
import type { ServiceRecord } from '../store/model.ts';
import type { Tx } from '../store/store.ts';
import { requireIdle } from './at-work.ts';
import type { AdminDeps } from './deps.ts';
import { serviceView } from './view.ts';

/** A service of a revoked server by its name, which leads to nothing else any more; undefined when it is not that one alone. */
export function goneStore(graph: Graph, ref: string): ServiceRecord | undefined {
  const [only, ...others] = graph.services.filter((service) => graph.serviceName(service) === ref);
  return others.length === 0 ? only : undefined;
}

/**
 * A place for backups whose server is gone for good: nobody can read them, or remove them there. Their records go, and no
 * policy names it any more. Nothing on the server changes: what lies there lies there if it comes back.
 */
export async function forgetStore(
  deps: AdminDeps,
  tx: Tx,
  graph: Graph,
  service: ServiceRecord,
  request: Pick<RemoveServiceRequest, 'confirm' | 'options'>,
): Promise<Service> {
  const name = graph.serviceName(service);
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot remove ${name} as abandoned: ${why}`);
  };
  if (service.type !== 'file') refuse('it is no place for backups');
  const server = graph.server(service.serverId);
  if (server.state !== 'revoked' && deps.agents.isConnected(server.id)) {
    refuse(`${server.name} answers; delete its backups, see: aegir backup list --service ${name}`);
  }
  requireUnused(graph, service);
  const backups = await tx.backups.find({ serviceId: service.id });
  const making = backups.find(({ state }) => state === 'making');
  if (making !== undefined) refuse(`a backup is being made there; stop that by: aegir task cancel ${making.taskId}`);
  await requireIdle(tx, `remove ${name} as abandoned`, { ids: [service.id] });
  if (request.options?.planOnly === true) {
    const lost = backups.map(({ id, siteName }) => `backup ${id} of ${displayName(siteName)} is lost`);
    return { ...serviceView(graph, service), plan: planRemoveService(name, lost) };
  }
  const shown = backups.slice(0, 5).map(({ id, siteName }) => `${id} of ${siteName}`);
  const more = backups.length > shown.length ? ` and ${backups.length - shown.length} more` : '';
  if (!request.confirm)
    refuse(`${shown.join(', ') || 'no backup'}${more} would be lost, and that was not confirmed; say --yes`);
  for (const { id } of backups) await tx.backups.delete(id);
  for (const policy of await tx.backupPolicies.find()) {
    if (policy.serviceId === service.id) await tx.backupPolicies.update(policy.id, { serviceId: null });
  }
  const view = serviceView(graph, service);
  await tx.services.delete(service.id);
  for (const id of Object.values(service.secrets)) await tx.secrets.delete(id);
  return view;
}
