// The contract of action kinds: one file beside this one per kind, named like the proto's field.
import { AegirError } from '../../shared/error.ts';
import type { Finding } from '../../shared/finding.ts';
import type {
  ClusterStatus,
  FoundSites,
  PlatformFacts,
  PortAnswer,
  TransferFacts,
} from '../../shared/gen/aegir/v1/agent.ts';
import type {
  AbsentBackups,
  BackupFacts,
  CheckFacts,
  FilesLook,
  PruneFacts,
  RestoreFacts,
  SnapshotFacts,
} from '../../shared/gen/aegir/v1/backup.ts';
import type { GateFacts, ReplicaFacts, SiteTraffic } from '../../shared/gen/aegir/v1/move.ts';
import type { ServiceRef } from '../../shared/gen/aegir/v1/spec.ts';
import type { ServiceType } from '../../shared/vocabulary.ts';
import { withArticle } from '../../shared/words.ts';
import type { App } from '../app/app.ts';
import type { Backups } from '../backup/backups.ts';
import type { Stores } from '../backup/store/stores.ts';
import type { CronDesk } from '../cron/cron.ts';
import type { ActionContext, Change, Engine } from '../engine/engine.ts';
import { runChanges } from '../engine/engine.ts';
import type { GateDesk } from '../gate/gates.ts';
import type { Transfers } from '../mesh/transfers.ts';
import type { Uplink } from '../session/uplink.ts';
import type { ActionKind, RequestOf } from '../validate.ts';

/** What every action may use of the agent. */
export interface Tools {
  readonly serverId: string;
  readonly agentVersion: string;
  readonly engines: readonly Engine[];
  readonly apps: readonly App[];
  readonly cron: CronDesk;
  readonly transfers: Transfers;
  readonly backups: Backups;
  readonly stores: Stores;
  readonly gates: GateDesk;
  readonly uplink: Uplink;
  readonly now: () => number;
}

/** What an action gives back; its messages for the person went through ctx.message. */
export interface Outcome {
  readonly changes: readonly string[];
  readonly platform?: PlatformFacts;
  readonly findings?: readonly Finding[];
  readonly cluster?: ClusterStatus;
  readonly transfer?: TransferFacts;
  readonly ports?: readonly PortAnswer[];
  readonly snapshot?: SnapshotFacts;
  readonly files?: FilesLook;
  readonly restore?: RestoreFacts;
  readonly backup?: BackupFacts;
  readonly prune?: PruneFacts;
  readonly check?: CheckFacts;
  readonly absent?: AbsentBackups;
  readonly replica?: ReplicaFacts;
  readonly found?: FoundSites;
  readonly gate?: GateFacts;
  readonly traffic?: SiteTraffic;
}

/** How an action comes to run. */
export interface Attempt {
  /** It began in a former boot of the agent and nobody knows how far it came. */
  readonly resumed: boolean;
  /** Masks a secret learned while running, in everything that this action says from now on. */
  readonly hide: (secret: string) => void;
}

export interface ActionHandler<K extends ActionKind> {
  readonly kind: K;
  /** Name in logs and failpoints, for example apply-http. */
  label(request: RequestOf[K]): string;
  /** May be repeated after a crash anywhere: looks first, then acts. Throws AegirError. */
  run(request: RequestOf[K], ctx: ActionContext, tools: Tools, attempt: Attempt): Promise<Outcome>;
}

/** The engine that drives the service. */
export function engineFor(tools: Tools, service: ServiceRef): Engine {
  const engine = tools.engines.find((each) => each.type === service.type && each.name === service.engine);
  if (engine !== undefined) return engine;
  const there = tools.engines.filter(({ type }) => type === service.type).map(({ name }) => name);
  throw new AegirError(
    'unimplemented',
    `cannot use ${service.engine} as ${withArticle(service.type)} service: this agent has no such engine; it has ` +
      `${there.join(', ') || 'none of that type'}; choose one of those, or update the agent`,
    { untouched: true },
  );
}

/** The same, typed by the service's type, which validation has compared with the spec's. */
export function typedEngineFor<T extends ServiceType>(tools: Tools, service: ServiceRef, type: T): Engine<T> {
  const engine = engineFor(tools, service);
  if (engine.type === type) return engine as Engine as Engine<T>;
  throw new AegirError('internal', `cannot use service ${service.id}: it is of type ${engine.type}, not ${type}`);
}

export function appFor(tools: Tools, name: string): App {
  const app = tools.apps.find((each) => each.name === name);
  if (app !== undefined) return app;
  throw new AegirError('unimplemented', `cannot use app ${name}: this agent does not know it; update the agent`);
}

/** A preview says what would change, anything else does it. */
export async function previewOrRun(
  changes: readonly Change[],
  preview: boolean,
  ctx: ActionContext,
): Promise<{ readonly changes: readonly string[] }> {
  if (preview) return { changes: changes.map((change) => change.summary) };
  return { changes: await runChanges(changes, ctx) };
}
