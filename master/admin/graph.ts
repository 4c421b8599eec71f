// The whole at a glance: the graph and the master's own state.
import type { Graph, Status } from '../../shared/gen/aegir/v1/admin.ts';
import { graphView } from '../graph/view.ts';
import type { AdminDeps } from './deps.ts';
import { loadGraph } from './load.ts';

export async function getGraph(deps: AdminDeps): Promise<Graph> {
  return graphView(await loadGraph(deps.store));
}

export async function getStatus(deps: AdminDeps): Promise<Status> {
  const accepted = await deps.store.servers.find({ state: 'accepted' });
  return {
    version: deps.facts.version,
    startedAt: new Date(deps.facts.startedAt),
    store: deps.store.kind,
    caPin: deps.facts.caPin,
    serversConnected: deps.agents.connectedCount(),
    serversAccepted: accepted.length,
    tasksOpen: await deps.store.tasks.countOpen(),
    rssBytes: BigInt(process.memoryUsage.rss()),
    meshState: deps.facts.meshState(),
    addresses: [...deps.facts.addresses],
  };
}
