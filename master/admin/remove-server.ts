// Removes a server: it is revoked, then forgotten with its services. What it did is still in tasks and in the audit log.
import { AegirError } from '../../shared/error.ts';
import type { RemoveServerRequest, Server } from '../../shared/gen/aegir/v1/admin.ts';
import type { Graph } from '../graph/graph.ts';
import { losses, obstacles, type ServerUses, usesOf } from '../graph/server-uses.ts';
import { planAtOnce } from '../plan/at-once.ts';
import type { ServerRecord } from '../store/model.ts';
import type { Tx } from '../store/store.ts';
import { forgetSite } from '../task/forget-site.ts';
import { atWork } from './at-work.ts';
import type { AdminDeps } from './deps.ts';
import { loadGraph } from './load.ts';
import { cutOff, endIdentity, revokeStep } from './revoke-server.ts';
import { serverView } from './view.ts';

const MOST_TOLD = 5;

interface Removal {
  readonly graph: Graph;
  readonly server: ServerRecord;
  readonly uses: ServerUses;
}

/**
 * Answers the server as it was. Repeatable until it succeeds: a crash in the middle leaves it revoked, as does a mesh that
 * could not be told. Throws failed_precondition that says what still uses it; of one that is gone for good (abandoned)
 * that goes with it.
 */
export async function removeServer(deps: AdminDeps, request: RemoveServerRequest): Promise<Server> {
  if (request.options?.planOnly === true) {
    const { graph, server, uses } = await removal(deps, deps.store, request);
    const plan = planAtOnce(
      'server.remove',
      `Remove ${server.name}${request.abandoned ? ' as gone for good' : ''}`,
      [
        revokeStep(server),
        {
          kind: 'server.forget',
          summary: `Forget ${server.name} with its services`,
          why: 'its host may join anew, as another server',
        },
      ],
      [
        ...losses(graph, uses),
        'Nothing is changed on the host; its agent ends by itself when it is told, and stays installed.',
      ],
    );
    return { ...serverView(graph, deps.agents, server), plan };
  }
  const { id, view } = await deps.store.transaction(async (tx) => {
    const { graph, server } = await removal(deps, tx, request);
    if (!request.confirm) {
      throw new AegirError('failed_precondition', `cannot remove ${server.name}: it was not confirmed; say --yes`);
    }
    // As it was, and still connected: what answers knows nothing of it later.
    const before = serverView(graph, deps.agents, server);
    await endIdentity(tx, server, deps.now());
    return { id: server.id, view: before };
  });
  // Before its record goes: only that says that this is still to be done.
  await cutOff(deps, id);
  await deps.store.transaction(async (tx) => {
    const { server, uses } = await removal(deps, tx, { ...request, server: id });
    await forget(tx, server, uses, deps.now());
  });
  return view;
}

/** Throws failed_precondition with what keeps it. */
async function removal(
  deps: AdminDeps,
  tx: Tx,
  request: Pick<RemoveServerRequest, 'server' | 'abandoned'>,
): Promise<Removal> {
  const graph = await loadGraph(tx);
  const server = revokedByName(graph, request.server) ?? graph.server(request.server);
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot remove ${server.name}: ${why}`);
  };
  if (request.abandoned && server.state !== 'revoked' && deps.agents.isConnected(server.id)) {
    refuse('it answers, so it is not gone for good; say no --abandoned');
  }
  const uses = usesOf(graph, server, await tx.backups.find(), await tx.backupPolicies.find());
  const used = obstacles(graph, server, uses, request.abandoned);
  const kept = [
    ...used,
    ...(await atWork(tx, { ids: [server, ...uses.services, ...uses.sites].map(({ id }) => id), server })),
  ];
  if (kept.length > 0) {
    const more = kept.length > MOST_TOLD ? `; and ${kept.length - MOST_TOLD} more` : '';
    const gone = request.abandoned || used.length === 0 ? '' : '; where it is gone for good: --abandoned';
    refuse(`${kept.slice(0, MOST_TOLD).join('; ')}${more}${gone}`);
  }
  return { graph, server, uses };
}

/** Names of revoked servers lead to nothing else: here they do, where one alone has it. */
function revokedByName(graph: Graph, ref: string): ServerRecord | undefined {
  const [only, ...others] = graph.servers.filter(({ name }) => name === ref);
  return others.length === 0 ? only : undefined;
}

async function forget(tx: Tx, server: ServerRecord, uses: ServerUses, now: number): Promise<void> {
  const here = new Set(uses.services.map(({ id }) => id));
  for (const { id } of uses.backups) await tx.backups.delete(id);
  for (const { id } of uses.sites) {
    await forgetSite(tx, id);
    if ((await tx.backups.find({ siteId: id })).length === 0) await tx.backupPolicies.delete(id);
  }
  for (const { id, bindings } of uses.loosely) {
    const kept = Object.entries(bindings).filter(([, service]) => service === undefined || !here.has(service));
    await tx.sites.update(id, { bindings: { ...Object.fromEntries(kept), http: bindings.http } });
  }
  for (const { id } of uses.policies) {
    const there = (await tx.backupPolicies.find({ id })).length > 0;
    if (there) await tx.backupPolicies.update(id, { serviceId: null });
  }
  for (const { id } of uses.drills) {
    const there = (await tx.backupPolicies.find({ id })).length > 0;
    if (there) await tx.backupPolicies.update(id, { drillServerId: null });
  }
  for (const zone of uses.zones) {
    for (const { id } of await tx.records.find({ zoneId: zone.id })) await tx.records.delete(id);
    await tx.zones.delete(zone.id);
  }
  for (const { id } of uses.platforms) await tx.platforms.delete(id);
  for (const { id, secrets } of uses.services) {
    for (const head of await tx.heads.find({ clusterId: id })) await tx.heads.delete(head.id);
    await tx.services.delete(id);
    for (const secret of Object.values(secrets)) await tx.secrets.delete(secret);
  }
  for (const { id } of await tx.crons.find({ serverId: server.id })) await tx.crons.delete(id);
  // Those that ended say nothing; the others stay, as revoked, so that an agent that comes with one is told so and ends.
  for (const { id, notAfter } of await tx.certificates.find({ serverId: server.id })) {
    if (notAfter <= now) await tx.certificates.delete(id);
  }
  await tx.servers.delete(server.id);
}
