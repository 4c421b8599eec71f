// Clusters whose heads have files of their own: bring these to all heads now, and have another head take writes.
import { AegirError } from '../../shared/error.ts';
import type { ChangeResponse, MoveWriterRequest, SyncClusterRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { clusterOf } from '../graph/cluster-rules.ts';
import { isCluster } from '../graph/graph.ts';
import { requireWriter } from '../graph/spread.ts';
import { planMoveWriter, planSyncCluster } from '../plan/spread.ts';
import { change } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { findSite } from './site.ts';

export async function syncCluster(
  deps: AdminDeps,
  caller: Caller,
  request: SyncClusterRequest,
): Promise<ChangeResponse> {
  const { options, ...asked } = request;
  return change(deps, caller, options, { method: 'cluster.sync', ...asked }, (graph) => {
    const cluster = clusterOf(graph, request.cluster);
    const on = graph.sitesOnService(cluster.id);
    if (request.site === '') return { plan: planSyncCluster(graph, cluster, on) };
    const site = findSite(graph, request.site);
    if (on.includes(site)) return { plan: planSyncCluster(graph, cluster, [site]) };
    throw new AegirError('not_found', `cannot bring files of ${site.name}: it is not on ${cluster.instance}`);
  });
}

export async function moveWriter(deps: AdminDeps, caller: Caller, request: MoveWriterRequest): Promise<ChangeResponse> {
  const { options, ...asked } = request;
  return change(deps, caller, options, { method: 'cluster.writer', ...asked }, (graph) => {
    const site = findSite(graph, request.site);
    const to = graph.service(request.service, 'http');
    const http = graph.service(site.bindings.http);
    if (!isCluster(http)) {
      throw new AegirError('failed_precondition', `cannot move writes of ${site.name}: it is on no cluster`);
    }
    requireWriter(graph, site, to);
    return { plan: planMoveWriter(graph, http, site, to) };
  });
}
