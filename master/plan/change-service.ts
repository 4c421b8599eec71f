// Plans about what people declare of services.
import type { Plan as PlanMessage } from '../../shared/gen/aegir/v1/admin.ts';
import { displayName } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';
import { bytesAt, placeOf, setOf, sharingUnsaid } from '../graph/stores.ts';
import type { ServiceRecord } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import { planAtOnce } from './at-once.ts';
import { holdStep, READS, releaseStep } from './backup-steps.ts';
import { enableSteps, proofSteps } from './change-server.ts';
import type { Plan, PlanStep, ServiceValues } from './plan.ts';

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

/** What is recorded at the place of a store that is led to another one, and what a person says of it. */
export interface Kept {
  /** Of that service. */
  readonly backups: readonly BackupRecord[];
  /** moved: they lie at the other place already, which is looked into first; left: they stay behind; unsaid: a plan alone. */
  readonly are: 'moved' | 'left' | 'unsaid';
}

export function planSetService(graph: Graph, service: ServiceRecord, to: ServiceValues, kept: Kept): Plan {
  const name = graph.serviceName(service);
  const after = { ...service, ...to };
  const moves = movesBytes(service, to);
  const leads = moves || (service.type === 'file' && placeOf(after) !== placeOf(service));
  const both = [service, after];
  const before: ServiceValues = { settings: service.settings, secrets: service.secrets };
  const used = new Set(Object.values(to.secrets));
  const old = Object.values(before.secrets).filter((id) => !used.has(id));
  const proof = service.state === 'enabled' ? proofSteps(graph, service) : [];
  const moved: PlanStep[] =
    moves && kept.are === 'moved' && kept.backups.length > 0
      ? [
          {
            kind: 'store.require',
            args: { serviceId: service.id, to },
            summary: `Look whether what is recorded as kept on ${name} lies at the new place`,
            serverId: service.serverId,
            undo: READS,
          },
        ]
      : [];
  const same = JSON.stringify(to) === JSON.stringify(before);
  return {
    verb: 'service.set',
    subjectId: service.id,
    subject: name,
    summary: `Change what is declared of ${name}`,
    steps: same
      ? []
      : [
          // Of both: who brings, reads or removes at either place knows where it is until the end.
          ...(leads ? [holdStep(graph, both, 'exclusive')] : []),
          ...moved,
          {
            kind: 'service.set',
            args: { serviceId: service.id, to, before, ...(moves ? { recorded: setOf(kept.backups) } : {}) },
            summary: `Record the settings of ${name}`,
            serverId: null,
            undo: { summary: 'record those of before' },
          },
          // The agent judges them.
          ...proof,
          ...(leads ? [releaseStep(graph, both, 'exclusive', true)] : []),
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
    warnings: same ? [] : [...(moves ? leavingWarnings(name, kept) : []), ...placeWarnings(graph, after)],
    // Once old secrets are gone there is nothing to go back to.
    pointOfNoReturn: same || old.length === 0 ? null : 1 + moved.length + proof.length + (leads ? 2 : 0),
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

/** Whether its bytes lie elsewhere then. */
export function movesBytes(service: ServiceRecord, to: ServiceValues): boolean {
  return service.type === 'file' && bytesAt({ ...service, ...to }) !== bytesAt(service);
}

const MOST_NAMED = 20;

function leavingWarnings(name: string, { backups, are }: Kept): readonly string[] {
  if (backups.length === 0) return [];
  const told = backups.slice(0, MOST_NAMED).map(({ id, siteName }) => `${id} of ${displayName(siteName)}`);
  const more = backups.length > told.length ? `; and ${backups.length - told.length} more` : '';
  const which = `${told.join('; ')}${more}`;
  if (are === 'moved') {
    return [`Looked for at the new place before anything changes: ${which}. Read each then: aegir backup verify ID.`];
  }
  const back = `they are found again once ${name} is set back`;
  const how = are === 'left' ? '' : ' Said by --leave-backups; where you moved its files to the new place, by --moved.';
  return [`Not found any more: ${which}; ${back}.${how}`];
}

function placeWarnings(graph: Graph, service: ServiceRecord): readonly string[] {
  const others = service.type === 'file' ? sharingUnsaid(graph, service) : [];
  if (others.length === 0) return [];
  return [
    `${others.join(', ')} ${others.length === 1 ? 'keeps' : 'keep'} backups in the same place: what fills one fills the other, and backups kept on both are lost together.`,
  ];
}
