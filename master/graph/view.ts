// The graph as nodes and edges, for people and programs that draw it.
import type { Graph as GraphMessage } from '../../shared/gen/aegir/v1/admin.ts';
import type { Graph } from './graph.ts';

/** Services that are facts only (type '') and revoked servers are left out. */
export function graphView(graph: Graph): GraphMessage {
  const nodes: GraphMessage['nodes'] = [];
  const edges: GraphMessage['edges'] = [];
  const servers = graph.servers.filter((server) => server.state !== 'revoked');
  for (const server of servers) {
    nodes.push({ id: server.id, kind: 'server', name: server.name, state: server.state, detail: '' });
    for (const service of graph.servicesOf(server.id)) {
      if (service.type === '') continue;
      const detail = `${service.type} ${service.engine}${service.detected.version ? ` ${service.detected.version}` : ''}`;
      nodes.push({ id: service.id, kind: 'service', name: graph.serviceName(service), state: service.state, detail });
      edges.push({ from: server.id, to: service.id, kind: 'carries' });
    }
  }
  for (const head of graph.heads) edges.push({ from: head.clusterId, to: head.serviceId, kind: 'leads-to' });
  for (const platform of graph.platforms) {
    nodes.push({ id: platform.id, kind: 'platform', name: platform.name, state: platform.state, detail: platform.app });
    edges.push({ from: platform.id, to: platform.serviceId, kind: 'runs-on' });
  }
  for (const site of graph.sites) {
    const app = graph.platforms.find((platform) => platform.id === site.platformId)?.app ?? '';
    nodes.push({ id: site.id, kind: 'site', name: site.name, state: site.state, detail: app });
    edges.push({ from: site.id, to: site.platformId, kind: 'uses' });
    for (const serviceId of Object.values(site.bindings)) {
      if (typeof serviceId === 'string') edges.push({ from: site.id, to: serviceId, kind: 'binds' });
    }
  }
  for (const zone of graph.zones) {
    const detail = `${graph.recordsOf(zone.id).length} records${zone.dnssec ? ', signed' : ''}`;
    nodes.push({ id: zone.id, kind: 'zone', name: zone.name, state: zone.state, detail });
    edges.push({ from: zone.id, to: zone.serviceId, kind: 'lies-on' });
  }
  for (const client of graph.clients) {
    nodes.push({ id: client.id, kind: 'client', name: client.name, state: '', detail: client.mail });
    for (const site of graph.sitesOfClient(client.id)) edges.push({ from: client.id, to: site.id, kind: 'owns' });
  }
  return { nodes, edges };
}
