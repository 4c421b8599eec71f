// The plan that makes an enabled service ready again and proves it; of a share, that all its servers see one tree.
import type { Graph } from '../graph/graph.ts';
import { sharersOf } from '../graph/shares.ts';
import type { ServiceRecord } from '../store/model.ts';
import { checkStep, prepareStep } from './change-server.ts';
import type { Plan, PlanStep } from './plan.ts';

/** token: 16 to 64 lower case letters and digits that nothing else has. */
export function planVerifyService(graph: Graph, service: ServiceRecord, token: string): Plan {
  const name = graph.serviceName(service);
  return {
    verb: 'service.verify',
    subjectId: service.id,
    subject: name,
    summary: `Verify ${name}`,
    steps: [prepareStep(graph, service), checkStep(graph, service), ...shareSteps(graph, service, token)],
    warnings: [],
    pointOfNoReturn: null,
    locks: [`service/${service.id}`, `server/${service.serverId}`],
  };
}

/** None when no other server names the share. */
function shareSteps(graph: Graph, service: ServiceRecord, token: string): readonly PlanStep[] {
  const share = service.settings['share'] ?? '';
  const others = sharersOf(graph, service);
  if (others.length === 0) return [];
  const name = graph.serviceName(service);
  return [
    {
      kind: 'share.leave',
      args: { serviceId: service.id, token },
      summary: `Leave a token on ${name}`,
      serverId: service.serverId,
      undo: { summary: 'take it back' },
    },
    ...others.map(
      (other): PlanStep => ({
        kind: 'share.look',
        args: { serviceId: other.id, token },
        summary: `Look for it on ${graph.serviceName(other)}, and write there`,
        serverId: other.serverId,
        undo: { none: 'it removes what it wrote' },
      }),
    ),
    {
      kind: 'share.judge',
      args: { serviceId: service.id, token, share, lookers: others.map((other) => graph.serviceName(other)) },
      summary: `Take the token back, and tell whether share ${share} is one tree`,
      serverId: service.serverId,
      undo: { none: 'there is nothing left of it' },
    },
  ];
}
