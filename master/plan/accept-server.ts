// What accepting a server does: it takes part, and what its policy names is enabled.
import type { Plan } from '../../shared/gen/aegir/v1/admin.ts';
import type { Graph } from '../graph/graph.ts';
import type { ServerRecord, ServiceRecord } from '../store/model.ts';
import { planAtOnce } from './at-once.ts';

/** Of an accepted server: without being asked, a service that was never enabled or disabled. */
export function enabledByPolicy(server: ServerRecord, service: ServiceRecord): boolean {
  const named = server.autoEnable.includes(service.type) || (service.type === 'dns' && service.engine === 'null');
  return service.state === 'detected' && service.detected.manageable && named;
}

/** server: as it will be. What its agent detects meanwhile is enabled, too, by the same policy. */
export function planAccept(graph: Graph, server: ServerRecord): Plan {
  const wanted = graph.servicesOf(server.id).filter((service) => enabledByPolicy(server, service));
  return planAtOnce('server.accept', `Accept ${server.name}`, [
    {
      kind: 'server.accept',
      summary: `Let ${server.name} take part${server.state === 'accepted' ? ', as it does' : ''}, and take its inventory`,
      undo: `aegir server remove ${server.name}`,
    },
    ...wanted.map((service) => ({
      kind: 'service.enable',
      summary: `Enable ${graph.serviceName(service)}, by a task of its own`,
      undo: `aegir service disable ${graph.serviceName(service)}`,
    })),
  ]);
}
