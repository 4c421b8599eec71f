// Plans about what people declare of services.
import type { Plan as PlanMessage } from '../../shared/gen/aegir/v1/admin.ts';
import type { Graph } from '../graph/graph.ts';
import { sharingUnsaid } from '../graph/stores.ts';
import type { ServiceRecord } from '../store/model.ts';
import { planAtOnce } from './at-once.ts';
import { enableSteps, proofSteps } from './change-server.ts';
import type { Plan, ServiceValues } from './plan.ts';

/** service is saved with the task, and goes again when its agent cannot use it. */
export function planDeclareService(graph: Graph, service: ServiceRecord): Plan {
  const name = graph.serviceName(service);
  return {
    verb: 'service.declare',
    subjectId: service.id,
    subject: name,
    summary: `Declare ${service.type} service ${name}`,
    steps: [
      {
        kind: 'service.declare',
        args: { serviceId: service.id },
        summary: `Record ${name} as declared`,
        serverId: null,
        undo: { summary: 'forget it' },
      },
      ...enableSteps(graph, service),
    ],
    warnings: placeWarnings(graph, service),
    pointOfNoReturn: null,
    locks: [`service/${service.id}`],
  };
}

export function planSetService(graph: Graph, service: ServiceRecord, to: ServiceValues): Plan {
  const name = graph.serviceName(service);
  const before: ServiceValues = { settings: service.settings, secrets: service.secrets };
  const kept = new Set(Object.values(to.secrets));
  const old = Object.values(before.secrets).filter((id) => !kept.has(id));
  const proof = service.state === 'enabled' ? proofSteps(graph, service) : [];
  const same = JSON.stringify(to) === JSON.stringify(before);
  return {
    verb: 'service.set',
    subjectId: service.id,
    subject: name,
    summary: `Change what is declared of ${name}`,
    steps: same
      ? []
      : [
          {
            kind: 'service.set',
            args: { serviceId: service.id, to, before },
            summary: `Record the settings of ${name}`,
            serverId: null,
            undo: { summary: 'record those of before' },
          },
          // The agent judges them.
          ...proof,
          ...(old.length === 0
            ? []
            : [
                {
                  kind: 'secrets.forget' as const,
                  args: { secretIds: old },
                  summary: 'Forget the secrets that were replaced',
                  serverId: null,
                  undo: { none: 'nothing uses them' },
                },
              ]),
        ],
    warnings: same ? [] : placeWarnings(graph, { ...service, ...to }),
    // Once old secrets are gone there is nothing to go back to.
    pointOfNoReturn: same || old.length === 0 ? null : 1 + proof.length,
    locks: [`service/${service.id}`, `server/${service.serverId}`],
  };
}

/** At once, without a task. lost: backups that are forgotten with it. */
export function planRemoveService(name: string, lost: readonly string[]): PlanMessage {
  const step = {
    kind: 'service.forget',
    summary: `Forget ${name}, with its secrets; on its server nothing changes`,
    why: 'what is forgotten does not come back',
  };
  return planAtOnce('service.remove', `Remove ${name}`, [step], lost);
}

function placeWarnings(graph: Graph, service: ServiceRecord): readonly string[] {
  const others = service.type === 'file' ? sharingUnsaid(graph, service) : [];
  if (others.length === 0) return [];
  return [
    `${others.join(', ')} ${others.length === 1 ? 'keeps' : 'keep'} backups in the same place: what fills one fills the other, and backups kept on both are lost together.`,
  ];
}
