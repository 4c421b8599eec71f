// Services that people declare: add, set, remove. Their secrets are sealed at once and never in a plan or request.
import { AegirError } from '../../shared/error.ts';
import type {
  ChangeResponse,
  DeclareServiceRequest,
  RemoveServiceRequest,
  Service,
  SetServiceRequest,
} from '../../shared/gen/aegir/v1/admin.ts';
import { DetectedService } from '../../shared/gen/aegir/v1/agent.ts';
import { displayName, plainName } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';
import { requireUnused } from '../graph/rules.ts';
import {
  type Kept,
  movesBytes,
  planDeclareService,
  planRemoveService,
  planSetService,
} from '../plan/change-service.ts';
import type { ServiceValues } from '../plan/plan.ts';
import type { SecretRecord, ServiceRecord } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import type { Tx } from '../store/store.ts';
import { requireIdle } from './at-work.ts';
import { requireNoBackups } from './backup-remove.ts';
import { change, type Decision, requireTaken } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { forgetStore, goneStore } from './forget-store.ts';
import { loadGraph } from './load.ts';
import { checkEncryption, keyed, newKey, used } from './store-key.ts';
import { serviceTypes } from './token.ts';
import { serviceView } from './view.ts';

const MAX_KEYS = 20;
const MAX_SETTING = 2000;
const MAX_SECRET = 16_000;

export async function declareService(
  deps: AdminDeps,
  caller: Caller,
  request: DeclareServiceRequest,
): Promise<ChangeResponse> {
  const [type] = serviceTypes([request.type]);
  if (type === undefined) throw new AegirError('invalid_argument', 'cannot declare a service without a type');
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(request.engine)) {
    throw new AegirError(
      'invalid_argument',
      `cannot use ${JSON.stringify(request.engine)} as engine: a name is needed`,
    );
  }
  const instance = request.instance === '' ? '' : plainName(request.instance, 'instance');
  const settings = checkMap(request.settings, 'setting', MAX_SETTING);
  const sealed = seal(deps, checkMap(request.secrets, 'secret', MAX_SECRET));
  const { options, secrets: _, ...asked } = request;
  const id = deps.newId('svc');
  const key = newKey(deps);
  // A retry has no secrets: it says so, and a repeat by key compares their names.
  const kept = { method: 'service.declare' as const, ...asked, secretKeys: Object.keys(sealed.ids) };
  const decide = (graph: Graph): Decision => {
    const server = graph.server(request.server);
    if (server.state !== 'accepted') {
      throw new AegirError('failed_precondition', `cannot declare a service on ${server.name}: it is ${server.state}`);
    }
    const service: ServiceRecord = {
      ...{
        id,
        serverId: server.id,
        type,
        engine: request.engine,
        instance,
        state: 'detected',
        stateBefore: 'detected',
      },
      detected: DetectedService.fromPartial({
        type,
        engine: request.engine,
        instance,
        running: true,
        manageable: true,
      }),
      ...{ origin: 'declared', ...keyed({ type, settings, secrets: sealed.ids }, key) },
    };
    const name = graph.serviceName(service);
    if (graph.services.some((other) => graph.serviceName(other) === name && other.type === type)) {
      throw new AegirError('already_exists', `cannot declare ${name}: it is there; see: aegir service show ${name}`);
    }
    return {
      plan: planDeclareService(graph, service),
      draft: { service, secrets: used(service, [...sealed.records, key]) },
      save: async (tx) => {
        await insertSecrets(tx, used(service, [...sealed.records, key]));
        await tx.services.insert(service);
      },
    };
  };
  if (options?.planOnly !== true) await requireTaken(deps, caller, decide);
  return change(deps, caller, options, kept, decide);
}

export async function setService(deps: AdminDeps, caller: Caller, request: SetServiceRequest): Promise<ChangeResponse> {
  const settings = checkMap(request.settings, 'setting', MAX_SETTING);
  const sealed = seal(deps, checkMap(request.secrets, 'secret', MAX_SECRET));
  const unset = new Set(request.unset);
  const key = newKey(deps);
  const backups = await deps.store.backups.find();
  const { options, secrets: _, ...asked } = request;
  const kept = { method: 'service.set' as const, ...asked, secretKeys: Object.keys(sealed.ids) };
  const decide = (graph: Graph): Decision => {
    const service = graph.service(request.service);
    for (const key of unset) {
      if (Object.hasOwn(service.settings, key) || Object.hasOwn(service.secrets, key)) continue;
      throw new AegirError(
        'not_found',
        `cannot take away ${key} of ${graph.serviceName(service)}: it has ${keysOf(service)}`,
      );
    }
    const without = (map: Readonly<Record<string, string>>) =>
      Object.fromEntries(Object.entries(map).filter(([key]) => !unset.has(key)));
    const asked = {
      settings: { ...without(service.settings), ...settings },
      secrets: { ...without(service.secrets), ...sealed.ids },
    };
    const to = keyed({ type: service.type, ...asked }, key);
    const here = backups.filter(({ serviceId }) => serviceId === service.id);
    checkEncryption(graph.serviceName(service), service, to, here);
    requireLeft(graph, service, to, here, request);
    const secrets = used(to, [...sealed.records, key]);
    return {
      plan: planSetService(graph, service, to, { backups: here, are: saidOf(request) }),
      draft: { service: { ...service, ...to }, secrets },
      save: (tx) => insertSecrets(tx, secrets),
    };
  };
  if (options?.planOnly !== true) await requireTaken(deps, caller, decide);
  return change(deps, caller, options, kept, decide);
}

function saidOf({ moved, leaveBackups }: SetServiceRequest): Kept['are'] {
  if (moved && leaveBackups) {
    throw new AegirError('invalid_argument', 'cannot have backups moved along and left behind; say one of the two');
  }
  return moved ? 'moved' : leaveBackups ? 'left' : 'unsaid';
}

/** A store that keeps its bytes elsewhere then has no backups, or a person says what becomes of them. */
function requireLeft(
  graph: Graph,
  service: ServiceRecord,
  to: ServiceValues,
  backups: readonly BackupRecord[],
  request: SetServiceRequest,
): void {
  const are = saidOf(request);
  const [first] = backups;
  if (first === undefined || !movesBytes(service, to)) return;
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot set ${graph.serviceName(service)}: ${why}`);
  };
  const making = backups.find(({ state }) => state === 'making');
  if (making !== undefined) {
    const how = `wait for it, or stop it: aegir task cancel ${making.taskId}`;
    refuse(`backup ${making.id} of ${displayName(making.siteName)} is being made where it keeps them now; ${how}`);
  }
  if (are !== 'unsaid' || request.options?.planOnly === true) return;
  const has = backups.length === 1 ? `backup ${first.id} lies` : `${backups.length} backups lie`;
  refuse(
    `${has} where it keeps them now, and would not be found any more (see them by --plan); move its files to the new ` +
      'place and say --moved, or leave them behind by --leave-backups',
  );
}

export async function removeService(deps: AdminDeps, request: RemoveServiceRequest): Promise<Service> {
  return deps.store.transaction(async (tx) => {
    const graph = await loadGraph(tx);
    const service =
      (request.abandoned ? goneStore(graph, request.service) : undefined) ?? graph.service(request.service);
    const name = graph.serviceName(service);
    if (request.abandoned) return forgetStore(deps, tx, graph, service, request);
    if (service.origin !== 'declared') {
      throw new AegirError(
        'failed_precondition',
        `cannot remove ${name}: its agent detected it; take it out of use with: aegir service disable ${name}`,
      );
    }
    requireUnused(graph, service);
    await requireNoBackups(tx, graph, service);
    await requireIdle(tx, `remove ${name}`, { ids: [service.id] });
    if (request.options?.planOnly === true)
      return { ...serviceView(graph, service), plan: planRemoveService(name, []) };
    if (!request.confirm) {
      throw new AegirError('failed_precondition', `cannot remove ${name}: it was not confirmed; say --yes`);
    }
    const view = serviceView(graph, service);
    await tx.services.delete(service.id);
    for (const id of Object.values(service.secrets)) await tx.secrets.delete(id);
    return view;
  });
}

function keysOf(service: ServiceRecord): string {
  return [...Object.keys(service.settings), ...Object.keys(service.secrets)].join(', ') || 'none';
}

function checkMap(map: Readonly<Record<string, string>>, what: string, most: number): Record<string, string> {
  const entries = Object.entries(map);
  if (entries.length > MAX_KEYS) {
    throw new AegirError('invalid_argument', `cannot take so many ${what}s: ${MAX_KEYS} are the most`);
  }
  for (const [key, value] of entries) {
    const refuse = (why: string): never => {
      throw new AegirError('invalid_argument', `cannot use ${what} ${JSON.stringify(key.slice(0, 60))}: ${why}`);
    };
    if (!/^[a-z][a-z0-9-]{0,31}$/.test(key)) refuse('its key needs lower case letters, digits and "-"');
    if (value === '' || value.length > most) refuse(`1 to ${most} characters are needed`);
    if (/(?![\r\n])\p{Cc}/u.test(value)) refuse('it has control characters');
  }
  return Object.fromEntries(entries);
}

function seal(deps: AdminDeps, secrets: Readonly<Record<string, string>>) {
  const records: SecretRecord[] = [];
  const ids: Record<string, string> = {};
  for (const [key, value] of Object.entries(secrets)) {
    const id = deps.newId('sec');
    ids[key] = id;
    records.push({ id, sealed: deps.seal(id, value) });
  }
  return { ids, records };
}

async function insertSecrets(tx: Tx, records: readonly SecretRecord[]): Promise<void> {
  for (const record of records) await tx.secrets.insert(record);
}
