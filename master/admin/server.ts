// Servers: list, accept, detect, verify, and the line that makes a host join.
import { AegirError } from '../../shared/error.ts';
import type {
  AcceptServerRequest,
  ChangeResponse,
  DetectServerRequest,
  GetJoinCommandRequest,
  GetJoinCommandResponse,
  GetServerReportRequest,
  GetServerRequest,
  ListServersRequest,
  ListServersResponse,
  Plan,
  Server,
  ServerReport,
  VerifyServerRequest,
} from '../../shared/gen/aegir/v1/admin.ts';
import type { Graph } from '../graph/graph.ts';
import { enabledByPolicy, planAccept } from '../plan/accept-server.ts';
import { planEnableService, planVerifyServer } from '../plan/change-server.ts';
import { withoutTaken } from '../session/taken-addresses.ts';
import type { ServerRecord } from '../store/model.ts';
import type { Store } from '../store/store.ts';
import { type KeptReport, newestReport, reportOf } from '../task/reports.ts';
import { change } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { loadGraph } from './load.ts';
import { pageOf } from './page.ts';
import { createToken, serviceTypes } from './token.ts';
import { serverView } from './view.ts';

const DETECT_TIMEOUT_MS = 30_000;

export async function listServers(deps: AdminDeps, request: ListServersRequest): Promise<ListServersResponse> {
  const graph = await loadGraph(deps.store);
  const page = pageOf(graph.servers, (server) => `${server.name} ${server.id}`, request);
  return {
    servers: page.items.map((server) => serverView(graph, deps.agents, server)),
    nextPageToken: page.nextPageToken,
  };
}

export async function getServer(deps: AdminDeps, request: GetServerRequest): Promise<Server> {
  const graph = await loadGraph(deps.store);
  return serverView(graph, deps.agents, graph.server(request.server));
}

/** Repeatable. enableTypes also enables what is detected, now and when it is detected later. */
export async function acceptServer(deps: AdminDeps, caller: Caller, request: AcceptServerRequest): Promise<Server> {
  const types = serviceTypes(request.enableTypes);
  if (request.options?.planOnly === true) {
    const graph = await loadGraph(deps.store);
    const server = acceptable(graph, request.server);
    const plan = planAccept(graph, { ...server, autoEnable: [...new Set([...server.autoEnable, ...types])] });
    return { ...serverView(graph, deps.agents, server), plan };
  }
  const id = await deps.store.transaction(async (tx) => {
    const server = acceptable(await loadGraph(tx), request.server);
    const autoEnable = [...new Set([...server.autoEnable, ...types])];
    // What a host that waits says keeps nothing from those that were accepted meanwhile. The next inventory tells the log.
    const facts = await withoutTaken(tx, server, server.facts);
    await tx.servers.update(server.id, { state: 'accepted', autoEnable, facts });
    return server.id;
  });
  if (deps.agents.isConnected(id)) await deps.agents.refreshInventory(id, DETECT_TIMEOUT_MS);
  await enableByPolicy(deps, caller, id);
  return getServer(deps, { server: id });
}

function acceptable(graph: Graph, ref: string): ServerRecord {
  const server = graph.server(ref);
  if (server.state !== 'revoked') return server;
  throw new AegirError('failed_precondition', `cannot accept ${server.name}: it was revoked; let the host join again`);
}

/**
 * Enables what the server's policy names and is only detected so far, and the engine that only tells people which DNS
 * records to set: it harms nobody, and without it nobody is told. Called when a server is accepted and after every
 * inventory; a service that a person disabled stays so.
 */
export async function enableByPolicy(deps: AdminDeps, caller: Caller, serverId: string): Promise<void> {
  const graph = await loadGraph(deps.store);
  const server = graph.server(serverId);
  if (server.state !== 'accepted') return;
  for (const service of graph.servicesOf(serverId)) {
    if (!enabledByPolicy(server, service) || (await hasOpenTask(deps.store, service.id))) continue;
    await change(deps, caller, undefined, { method: 'service.enable', service: service.id }, (now) => ({
      plan: planEnableService(now, now.service(service.id)),
    }));
  }
}

async function hasOpenTask(store: Store, subjectId: string): Promise<boolean> {
  const [newest] = await store.tasks.list({ subjectId, limit: 1 });
  // A failed one is not tried again by itself: a person looks first.
  return newest !== undefined && newest.state !== 'succeeded';
}

export async function detectServer(deps: AdminDeps, request: DetectServerRequest): Promise<Server> {
  const server = (await loadGraph(deps.store)).server(request.server);
  await deps.agents.refreshInventory(server.id, DETECT_TIMEOUT_MS);
  return getServer(deps, { server: server.id });
}

export async function verifyServer(
  deps: AdminDeps,
  caller: Caller,
  request: VerifyServerRequest,
): Promise<ChangeResponse> {
  const asked = { method: 'server.verify' as const, server: request.server, checkOnly: request.checkOnly };
  const answer = await change(deps, caller, request.options, asked, (graph) => {
    const server = graph.server(request.server);
    if (server.state !== 'accepted') {
      throw new AegirError(
        'failed_precondition',
        `cannot verify ${server.name}: it is ${server.state}; run: aegir server accept ${server.name}`,
      );
    }
    return { plan: planVerifyServer(graph, server, request.checkOnly) };
  });
  if (request.options?.planOnly === true && answer.plan !== undefined) leaveOutSound(answer.plan);
  return answer;
}

/** A preview shows what is wrong: what would change nothing is counted, what could not be looked at is shown. */
function leaveOutSound(plan: Plan): void {
  const parts = plan.steps.filter(({ kind }) => kind === 'verify.part');
  const sound = new Set(parts.filter(({ changes, previewNote }) => changes.length === 0 && previewNote === ''));
  plan.steps = plan.steps.filter((step) => !sound.has(step));
  if (sound.size > 0) plan.summary += `; ${sound.size} of ${parts.length} parts need no repair and are only looked at`;
}

/** The newest that there is, or that of a task. */
export async function getServerReport(deps: AdminDeps, request: GetServerReportRequest): Promise<ServerReport> {
  const server = (await loadGraph(deps.store)).server(request.server);
  const kept = await keptReport(deps.store, server.id, request.taskId);
  if (kept === undefined) {
    const what =
      request.taskId === '' ? `a report of ${server.name}` : `a report of ${server.name} in ${request.taskId}`;
    throw new AegirError(
      'not_found',
      `cannot find ${what}: make one with: aegir server verify ${server.name} --check-only`,
    );
  }
  const { findings, madeAt, errors, warnings, repaired, leftOut, checkOnly } = kept.report;
  return {
    ...{ serverId: server.id, server: server.name, taskId: kept.taskId, madeAt: new Date(madeAt), checkOnly },
    findings: findings.map((each) => ({ ...each, changes: [...each.changes] })),
    ...{ errors, warnings, repaired, leftOut },
  };
}

async function keptReport(store: Store, serverId: string, taskId: string): Promise<KeptReport | undefined> {
  if (taskId === '') return newestReport(store, serverId);
  const task = await store.tasks.get(taskId);
  const report = task?.subjectId === serverId ? await reportOf(store, taskId) : undefined;
  return report === undefined ? undefined : { taskId, report };
}

export async function getJoinCommand(
  deps: AdminDeps,
  caller: Caller,
  request: GetJoinCommandRequest,
): Promise<GetJoinCommandResponse> {
  const { token, value } = await createToken(deps, {
    kind: 'join',
    description: `join command for ${caller.actor}`.slice(0, 200),
    role: '',
    uses: request.uses,
    ttlSeconds: request.ttlSeconds,
    autoAccept: request.autoAccept,
    autoEnable: request.autoEnable,
  });
  return { command: deps.joinCommand(value), token };
}
