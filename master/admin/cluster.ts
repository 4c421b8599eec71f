// Clusters of web servers: list, show, create, add, drain, activate, remove a head, verify, delete.
import { AegirError, toAegirError } from '../../shared/error.ts';
import type {
  ChangeResponse,
  Cluster,
  ClusterRequest,
  CreateClusterRequest,
  GetClusterRequest,
  HeadRequest,
  ListClustersRequest,
  ListClustersResponse,
} from '../../shared/gen/aegir/v1/admin.ts';
import { DetectedService, type HeadStatus } from '../../shared/gen/aegir/v1/agent.ts';
import { whyMissing } from '../../shared/missing.ts';
import { plainName } from '../../shared/name.ts';
import { clusterOf, requireShare, SHARE } from '../graph/cluster-rules.ts';
import { createGraph, type Graph, isCluster } from '../graph/graph.ts';
import { requireUnused, requireUsable } from '../graph/rules.ts';
import {
  planActivateHead,
  planAddHead,
  planCreateCluster,
  planDeleteCluster,
  planDrainHead,
  planRemoveHead,
  planVerifyCluster,
} from '../plan/change-cluster.ts';
import type { Plan } from '../plan/plan.ts';
import type { Verb } from '../plan/verbs.ts';
import type { HeadRecord, ServiceRecord } from '../store/model.ts';
import { CHECKS, serviceRef } from '../task/spec.ts';
import { removeBy } from './at-work.ts';
import { change, type Decision } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { loadGraph } from './load.ts';
import { pageOf } from './page.ts';
import { clusterView } from './view.ts';

const MAX_HEADS = 100;
const MAX_PATIENCE = 86_400;
const STATUS_TIMEOUT_MS = 5_000;
/** What the agent's inventory calls the load balancer that fronts are made of. */
const BALANCER = 'haproxy';

export async function listClusters(deps: AdminDeps, request: ListClustersRequest): Promise<ListClustersResponse> {
  const graph = await loadGraph(deps.store);
  const page = pageOf(graph.services.filter(isCluster), (service) => graph.serviceName(service), request);
  return {
    clusters: page.items.map((service) => clusterView(graph, service, [], '')),
    nextPageToken: page.nextPageToken,
  };
}

export async function getCluster(deps: AdminDeps, request: GetClusterRequest): Promise<Cluster> {
  const graph = await loadGraph(deps.store);
  const cluster = clusterOf(graph, request.cluster);
  try {
    return clusterView(graph, cluster, await statusOf(deps, graph, cluster), '');
  } catch (thrown) {
    return clusterView(graph, cluster, [], toAegirError(thrown, 'ask the front').message);
  }
}

async function statusOf(deps: AdminDeps, graph: Graph, cluster: ServiceRecord): Promise<readonly HeadStatus[]> {
  if (!deps.agents.isConnected(cluster.serverId)) {
    const { name } = graph.server(cluster.serverId);
    throw new AegirError('unavailable', `cannot ask the front: ${name} is not connected`);
  }
  const request = { $case: 'clusterStatus' as const, value: { service: serviceRef(cluster, {}) } };
  const { outcome } = await deps.agents.ask(cluster.serverId, request, STATUS_TIMEOUT_MS);
  if (outcome?.$case === 'ok') return outcome.value.cluster?.heads ?? [];
  throw new AegirError('unavailable', outcome?.value.message ?? 'cannot ask the front: it gave no answer');
}

export async function createCluster(
  deps: AdminDeps,
  caller: Caller,
  request: CreateClusterRequest,
): Promise<ChangeResponse> {
  const name = plainName(request.name, 'cluster name');
  const share = request.share === '' ? '' : plainName(request.share, 'name of what the heads share');
  if (request.heads.length > MAX_HEADS) {
    throw new AegirError('invalid_argument', `cannot create cluster ${name}: ${MAX_HEADS} heads are the most`);
  }
  const settings = {
    ...(share === '' ? {} : { [SHARE]: share }),
    ...checked('check-millis', request.checkMillis),
    ...checked('fall', request.fall),
    ...checked('rise', request.rise),
  };
  const id = deps.newId('svc');
  const ids = request.heads.map(() => deps.newId('head'));
  const { options, ...asked } = request;
  return change(deps, caller, options, { method: 'cluster.create', ...asked }, (graph) => {
    const server = graph.server(request.front);
    if (server.state !== 'accepted') {
      throw new AegirError('failed_precondition', `cannot use ${server.name} as a front: it is ${server.state}`);
    }
    const balancer = graph
      .servicesOf(server.id)
      .find(({ engine, state }) => engine === BALANCER && state !== 'missing');
    if (balancer === undefined) {
      const what = whyMissing(
        { kind: server.facts.hostKind },
        `it has no HAProxy; install it there (Debian: apt install haproxy), then: aegir server verify ${server.name}`,
      );
      throw new AegirError('failed_precondition', `cannot use ${server.name} as a front: ${what}`);
    }
    const { ports, version } = balancer.detected;
    const common = { type: 'http' as const, engine: 'cluster', instance: name };
    const cluster: ServiceRecord = {
      ...{ id, serverId: server.id, ...common, state: 'detected', stateBefore: 'detected' },
      detected: DetectedService.fromPartial({ ...common, ports, version, running: true, manageable: true }),
      ...{ origin: 'declared', settings, secrets: {} },
    };
    if (graph.services.some((other) => isCluster(other) && other.instance === name)) {
      throw new AegirError('already_exists', `cannot create cluster ${name}: there is one; see: aegir cluster list`);
    }
    const heads = request.heads.map((ref, index) => newHead(graph, cluster, ref, ids[index] ?? '', 'joining', 1));
    const twice = heads.find((head, index) =>
      heads.some((other, at) => at < index && other.serviceId === head.serviceId),
    );
    if (twice !== undefined) {
      const web = graph.serviceName(graph.service(twice.serviceId));
      throw new AegirError('invalid_argument', `cannot create cluster ${name}: head ${web} is named twice`);
    }
    const after = createGraph({ ...graph, services: [...graph.services, cluster], heads: [...graph.heads, ...heads] });
    return {
      plan: planCreateCluster(after, cluster, heads),
      draft: { service: cluster, heads },
      save: async (tx) => {
        await tx.services.insert(cluster);
        for (const head of heads) await tx.heads.insert(head);
      },
    };
  });
}

export async function addHead(deps: AdminDeps, caller: Caller, request: HeadRequest): Promise<ChangeResponse> {
  const id = deps.newId('head');
  const weight = request.weight === 0 ? 1 : request.weight;
  if (weight > 100) throw new AegirError('invalid_argument', 'cannot use that weight: 1 to 100 are possible');
  return onCluster(deps, caller, 'cluster.add', request, (graph, cluster) => {
    const there = graph.headsOf(cluster.id);
    if (there.length >= MAX_HEADS) {
      throw new AegirError('failed_precondition', `cannot add a head: ${MAX_HEADS} are the most`);
    }
    const head = newHead(graph, cluster, request.service, id, 'joining', weight);
    if (there.some((other) => other.serviceId === head.serviceId)) {
      const web = graph.serviceName(graph.service(head.serviceId));
      throw new AegirError('already_exists', `cannot add ${web} to ${cluster.instance}: it is a head already`);
    }
    const after = createGraph({ ...graph, heads: [...graph.heads, head] });
    return {
      plan: planAddHead(after, cluster, head),
      draft: { heads: [head] },
      save: (tx) => tx.heads.insert(head),
    };
  });
}

export async function drainHead(deps: AdminDeps, caller: Caller, request: HeadRequest): Promise<ChangeResponse> {
  return onHead(deps, caller, 'cluster.drain', request, (graph, cluster, head) => {
    requireAnother(graph, cluster, head, 'drain');
    return planDrainHead(graph, cluster, head, patienceOf(request), request.abandoned);
  });
}

export async function activateHead(deps: AdminDeps, caller: Caller, request: HeadRequest): Promise<ChangeResponse> {
  return onHead(deps, caller, 'cluster.activate', request, (graph, cluster, head) => {
    if (head.state === 'joining' || head.state === 'leaving') refuseState(graph, cluster, head, 'activate');
    requireUsable(graph, graph.service(head.serviceId), 'http', `cluster ${cluster.instance}`);
    requireNothingAlone(graph, cluster, head, request.discard);
    return planActivateHead(graph, cluster, head, request.discard);
  });
}

export async function removeHead(deps: AdminDeps, caller: Caller, request: HeadRequest): Promise<ChangeResponse> {
  if (!request.confirm && request.options?.planOnly !== true) {
    throw new AegirError('failed_precondition', `cannot remove ${request.service}: it was not confirmed; say --yes`);
  }
  const { options, ...asked } = request;
  return removeBy(deps, caller, options, { method: 'cluster.remove', ...asked }, (graph) => {
    const cluster = clusterOf(graph, request.cluster);
    const head = headOf(graph, cluster, request.service);
    requireAnother(graph, cluster, head, 'remove');
    const what = `remove ${graph.serviceName(graph.service(head.serviceId))} from ${cluster.instance}`;
    return {
      ...{ plan: planRemoveHead(graph, cluster, head, patienceOf(request), request.abandoned), what },
      ids: [cluster.id],
    };
  });
}

export async function verifyCluster(deps: AdminDeps, caller: Caller, request: ClusterRequest): Promise<ChangeResponse> {
  return onCluster(deps, caller, 'cluster.verify', request, (graph, cluster) => ({
    plan: planVerifyCluster(graph, cluster),
  }));
}

export async function deleteCluster(deps: AdminDeps, caller: Caller, request: ClusterRequest): Promise<ChangeResponse> {
  if (!request.confirm && request.options?.planOnly !== true) {
    throw new AegirError('failed_precondition', `cannot delete ${request.cluster}: it was not confirmed; say --yes`);
  }
  const { options, ...asked } = request;
  return removeBy(deps, caller, options, { method: 'cluster.delete', ...asked }, (graph) => {
    const cluster = clusterOf(graph, request.cluster);
    requireUnused(graph, cluster);
    return { plan: planDeleteCluster(graph, cluster), what: `delete cluster ${cluster.instance}`, ids: [cluster.id] };
  });
}

function onCluster<R extends ClusterRequest | HeadRequest>(
  deps: AdminDeps,
  caller: Caller,
  method: Verb,
  request: R,
  decide: (graph: Graph, cluster: ServiceRecord) => Decision,
): Promise<ChangeResponse> {
  const { options, ...asked } = request;
  return change(deps, caller, options, { method, ...asked }, (graph) =>
    decide(graph, clusterOf(graph, request.cluster)),
  );
}

function onHead(
  deps: AdminDeps,
  caller: Caller,
  method: Verb,
  request: HeadRequest,
  plan: (graph: Graph, cluster: ServiceRecord, head: HeadRecord) => Plan,
): Promise<ChangeResponse> {
  return onCluster(deps, caller, method, request, (graph, cluster) => ({
    plan: plan(graph, cluster, headOf(graph, cluster, request.service)),
  }));
}

function headOf(graph: Graph, cluster: ServiceRecord, ref: string): HeadRecord {
  const service = graph.service(ref);
  const head = graph.headsOf(cluster.id).find((each) => each.serviceId === service.id);
  if (head !== undefined) return head;
  throw new AegirError(
    'not_found',
    `cannot find head ${graph.serviceName(service)}: it is none of ${cluster.instance}; see: aegir cluster show ${cluster.instance}`,
  );
}

function newHead(
  graph: Graph,
  cluster: ServiceRecord,
  ref: string,
  id: string,
  state: HeadRecord['state'],
  weight: number,
): HeadRecord {
  const service = graph.service(ref, 'http');
  requireUsable(graph, service, 'http', `cluster ${cluster.instance}`);
  if (isCluster(service)) {
    throw new AegirError(
      'invalid_argument',
      `cannot use ${graph.serviceName(service)} as a head: it is a front itself`,
    );
  }
  requireShare(graph, cluster, service);
  return { id, clusterId: cluster.id, serviceId: service.id, state, weight };
}

/** Somebody must be left to serve the sites. */
function requireAnother(graph: Graph, cluster: ServiceRecord, head: HeadRecord, verb: string): void {
  if (head.state === 'joining' || (head.state === 'leaving' && verb !== 'remove')) {
    refuseState(graph, cluster, head, verb);
  }
  const others = graph.headsOf(cluster.id).filter((each) => each.id !== head.id && each.state === 'active');
  if (others.length > 0 || graph.sitesOnService(cluster.id).length === 0) return;
  throw new AegirError(
    'failed_precondition',
    `cannot ${verb} ${graph.serviceName(graph.service(head.serviceId))}: no other head of ${cluster.instance} gets requests, and ` +
      'its sites would be gone; add or activate another one first',
  );
}

/** Its files of sites that it took writes of would be gone. */
function requireNothingAlone(graph: Graph, cluster: ServiceRecord, head: HeadRecord, discard: boolean): void {
  const alone = graph.sitesOnService(cluster.id).filter(({ spread }) => spread?.kept.includes(head.serviceId));
  const [first] = alone;
  if (discard || first === undefined) return;
  const web = graph.serviceName(graph.service(head.serviceId));
  throw new AegirError(
    'failed_precondition',
    `cannot activate ${web}: it took writes of ${alone.length === 1 ? first.name : `${alone.length} sites, ${first.name} among them,`} ` +
      `when it was given up, and may have files that are nowhere else; copy what you want of them by hand, then: aegir cluster activate ${cluster.instance} ${web} --discard`,
  );
}

function refuseState(graph: Graph, cluster: ServiceRecord, head: HeadRecord, verb: string): never {
  throw new AegirError(
    'failed_precondition',
    `cannot ${verb} ${graph.serviceName(graph.service(head.serviceId))}: it is ${head.state}; wait for its task; see: ` +
      `aegir task list --subject ${cluster.id}`,
  );
}

function patienceOf(request: HeadRequest): number {
  if (request.patienceSeconds <= MAX_PATIENCE) return request.patienceSeconds;
  throw new AegirError('invalid_argument', `cannot wait ${request.patienceSeconds} s: a day is the most`);
}

function checked(key: keyof typeof CHECKS, value: number): Record<string, string> {
  if (value === 0) return {};
  const { least, most } = CHECKS[key];
  if (value >= least && value <= most) return { [key]: String(value) };
  throw new AegirError('invalid_argument', `cannot use ${value} as ${key}: ${least} to ${most} are possible`);
}
