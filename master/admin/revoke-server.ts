// A server's identity ends: its certificates, its leave for the mesh, and whatever is open of it.
import { AegirError } from '../../shared/error.ts';
import type { RevokeServerRequest, Server } from '../../shared/gen/aegir/v1/admin.ts';
import { stranded, usesOf } from '../graph/server-uses.ts';
import { type AtOnce, planAtOnce } from '../plan/at-once.ts';
import type { ServerRecord } from '../store/model.ts';
import type { Tx } from '../store/store.ts';
import { atWork } from './at-work.ts';
import type { AdminDeps } from './deps.ts';
import { loadGraph } from './load.ts';
import { serverView } from './view.ts';

/** Repeatable: what was not told everywhere is told again. */
export async function revokeServer(deps: AdminDeps, request: RevokeServerRequest): Promise<Server> {
  if (request.options?.planOnly === true) {
    const graph = await loadGraph(deps.store);
    const server = graph.server(request.server);
    const uses = usesOf(graph, server, await deps.store.backups.find(), await deps.store.backupPolicies.find());
    const ids = [server, ...uses.services, ...uses.sites].map(({ id }) => id);
    const warnings = [...stranded(graph, uses), ...(await atWork(deps.store, { ids, server }))];
    const plan = planAtOnce('server.revoke', `Revoke ${server.name}`, [revokeStep(server)], warnings);
    return { ...serverView(graph, deps.agents, server), plan };
  }
  const { id } = await deps.store.transaction(async (tx) => {
    const server = (await loadGraph(tx)).server(request.server);
    if (!request.confirm) {
      throw new AegirError('failed_precondition', `cannot revoke ${server.name}: it was not confirmed; say --yes`);
    }
    await endIdentity(tx, server, deps.now());
    return server;
  });
  await cutOff(deps, id);
  const graph = await loadGraph(deps.store);
  return serverView(graph, deps.agents, graph.server(id));
}

export function revokeStep({ name, state }: ServerRecord): AtOnce {
  return {
    kind: 'server.revoke',
    summary: `End the identity of ${name}, its leave for the mesh, and its connections${state === 'revoked' ? ', again' : ''}`,
    why: 'it is for ever: the host may join anew',
  };
}

export async function endIdentity(tx: Tx, server: ServerRecord, now: number): Promise<void> {
  await tx.servers.update(server.id, { state: 'revoked' });
  for (const certificate of await tx.certificates.find({ serverId: server.id })) {
    if (certificate.revokedAt === null) await tx.certificates.update(certificate.id, { revokedAt: now });
  }
}

/** After its identity ended. Durable when it resolves; throws unavailable when the mesh could not be told yet. */
export async function cutOff(deps: AdminDeps, serverId: string): Promise<void> {
  deps.agents.disconnect(serverId, 'revoked');
  await deps.revokeMesh(serverId);
}
