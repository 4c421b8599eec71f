// Agents for tests of tasks: hosts are a set of what is on them, actions change it at once, and every answer is kept
// under its action's id as a real agent's journal does. What is to go wrong is told by the test.
import { AegirError, toAegirError } from '../../../shared/error.ts';
import type { ActionResult, Finding, PlatformFacts, TransferFacts } from '../../../shared/gen/aegir/v1/agent.ts';
import type { HttpSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { ActionOrder, Agents, PerformOptions } from '../../session/agents.ts';
import { moveOutput } from './script-moves.ts';
import { createScriptParts, type ScriptParts } from './script-parts.ts';

export interface Performed {
  readonly id: string;
  readonly generation: number;
  readonly serverId: string;
  readonly resource: string;
  readonly act: string;
}

export interface ScriptAgents extends Agents {
  /** What stands on hosts, as "server resource". */
  readonly world: Set<string>;
  /** What they do with parts of sites. */
  readonly parts: ScriptParts;
  /** Every order, in the order of asking; a repeat is there twice. */
  readonly asked: readonly Performed[];
  /** Ids whose results were acknowledged: agents forget them. */
  readonly acknowledged: ReadonlySet<string>;
  /** Called before an order is carried out; what it waits for, the order waits for. */
  before: (order: ActionOrder, serverId: string, options: PerformOptions) => Promise<void> | void;
}

const FACTS: PlatformFacts = {
  app: 'wordpress',
  version: '6.1.1',
  docroot: '/usr/share/wordpress',
  phpMinimum: '',
  profiles: [],
  languages: [],
};

const MOVED: TransferFacts = {
  ...{ complete: true, receivedBytes: 1024n, objectBytes: 1024n, receivedChunks: 0n, objectChunks: 0n },
  ...{ millis: 1n, roundTripMicros: 100n },
};

export function createScriptAgents(): ScriptAgents {
  const world = new Set<string>();
  const asked: Performed[] = [];
  const acknowledged = new Set<string>();
  const journal = new Map<string, ActionResult>();
  const parts = createScriptParts();

  return {
    world,
    parts,
    asked,
    acknowledged,
    before: () => {},
    isConnected: () => true,
    connectedCount: () => 2,
    vitals: () => undefined,
    async ask(serverId, request) {
      if (request.$case === 'lookFiles') {
        const looked = resultOf('', []);
        const files = { digest: Buffer.alloc(32, 9), entries: 3n };
        if (looked.outcome?.$case === 'ok') looked.outcome.value.files = files;
        return looked;
      }
      if (request.$case === 'clusterStatus') return statusOf(world, serverId, request.value.service?.id ?? '');
      // A person has set at once what the engine null told.
      const byHand = request.$case === 'apply' && request.value.service?.engine === 'null';
      return resultOf('', byHand ? [] : ['would change one thing']);
    },
    refreshInventory: async () => {},
    expectUpload: () => {
      throw new Error('no upload is expected in this test');
    },
    disconnect: () => {},
    async perform(serverId, order, options) {
      asked.push({ ...order, serverId, act: actOf(order) });
      await this.before(order, serverId, options);
      const result =
        journal.get(order.id) ?? partsOf(parts, world, serverId, order) ?? carryOut(world, serverId, order);
      journal.set(order.id, result);
      return { result, acknowledge: () => acknowledged.add(order.id) };
    },
  };
}

/** Waits until the signal says to stop, as an action does that takes long. */
export function untilAborted({ signal }: PerformOptions): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => {
      const { reason } = signal as { reason: unknown };
      reject(reason instanceof AegirError ? reason : new AegirError('cancelled', 'cannot go on: it was cancelled'));
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

function actOf({ request }: ActionOrder): string {
  if (request.$case !== 'apply' && request.$case !== 'remove') return request.$case;
  return `${request.$case} ${request.value.service?.type}`;
}

/** What fails there is kept like what went well, as a real agent's journal does. */
function partsOf(
  parts: ScriptParts,
  world: Set<string>,
  serverId: string,
  order: ActionOrder,
): ActionResult | undefined {
  try {
    const output = parts.carryOut(world, serverId, order) ?? moveOutput(world, serverId, order);
    if (output === undefined) return undefined;
    const result = resultOf(order.id, []);
    if (result.outcome?.$case === 'ok') Object.assign(result.outcome.value, output);
    return result;
  } catch (thrown) {
    const { code, message, retryable, untouched } = toAegirError(thrown, 'carry an order out');
    const value = { code, message, retryable, untouched };
    return { actionId: order.id, changes: [], outcome: { $case: 'error', value } };
  }
}

function carryOut(world: Set<string>, serverId: string, order: ActionOrder): ActionResult {
  const { request } = order;
  const at = (what: string) => `${serverId} ${what} ${order.resource}`;
  const before = [...world].join();
  const messages: { kind: string; text: string; value: string; expiresAt: undefined }[] = [];
  switch (request.$case) {
    case 'apply': {
      const { service, spec } = request.value;
      const what = at(service?.type ?? '');
      for (const there of [...world]) if (there.startsWith(what)) world.delete(there);
      if (spec?.$case === 'http')
        world.add(
          `${what} ${spec.value.state}, cron ${spec.value.cron?.intervalSeconds ?? 'off'}${writerOf(spec.value)}`,
        );
      else if (spec?.$case === 'dns' && order.resource.startsWith('zone/')) {
        for (const { name, ttl, type, data } of spec.value.records) world.add(`${what} ${name} ${ttl} ${type} ${data}`);
      } else if (spec?.$case === 'db' && spec.value.from.length > 1) world.add(`${what} ${spec.value.from.join()}`);
      else {
        world.add(what);
        // Proofs for a certificate authority are there for a while.
        for (const { type, data } of spec?.$case === 'dns' ? spec.value.records : []) {
          if (type === 'TXT') world.add(`${what} TXT ${data}`);
        }
      }
      break;
    }
    case 'remove':
      if (request.value.preview) break;
      if (request.value.service?.type === 'db') forget(world, `${serverId} database of ${order.resource} `);
      for (const there of [...world]) if (there.startsWith(at(request.value.service?.type ?? ''))) world.delete(there);
      break;
    case 'prepareSite':
      world.add(at('files'));
      if (request.value.site?.sharedRoot !== '') world.add(`shared files ${order.resource}`);
      break;
    case 'removeSite':
      forget(world, `${serverId} files of ${order.resource} `);
      world.delete(at('files'));
      if (!request.value.keepShared) world.delete(`shared files ${order.resource}`);
      break;
    case 'applyZone':
      for (const there of [...world]) if (there.startsWith(at('zone'))) world.delete(there);
      world.add(`${at('zone')} ${request.value.zone?.ttl}${request.value.zone?.dnssec ? ' signed' : ''}`);
      break;
    case 'removeZone':
      for (const there of [...world]) {
        if (there.startsWith(at('zone')) || there.startsWith(at('dns'))) world.delete(there);
      }
      break;
    case 'applyCluster': {
      const heads = request.value.cluster?.heads ?? [];
      for (const there of [...world]) if (there.startsWith(at('cluster'))) world.delete(there);
      world.add(`${at('cluster')} ${heads.map(({ serviceId, state }) => `${serviceId} ${state}`).join()}`);
      break;
    }
    case 'removeCluster':
      for (const there of [...world]) if (there.startsWith(at('cluster'))) world.delete(there);
      break;
    case 'probeShare': {
      const { verb, service, token } = request.value;
      // All see one tree.
      const there = `token ${token}`;
      if (verb === 'leave') world.add(there);
      if (verb === 'forget') world.delete(there);
      const seen = {
        subject: 'share',
        level: world.has(there) ? 'ok' : 'error',
        text: `seen by ${service?.id}`,
        code: '',
        advice: '',
      };
      return resultOf(order.id, [], [], undefined, verb === 'look' ? [seen] : []);
    }
    case 'loginLink':
      messages.push({ kind: 'link', text: 'Log in once', value: 'https://example.org/once', expiresAt: undefined });
      break;
    default:
      break;
  }
  const changes = [...world].join() === before ? [] : [actOf(order)];
  const result = resultOf(order.id, changes, messages, request.$case === 'verifyPlatform' ? FACTS : undefined);
  if (request.$case === 'receiveObject' && result.outcome?.$case === 'ok') result.outcome.value.transfer = MOVED;
  return result;
}

/** Where heads have files of their own: to whom a front leads what may write, and whom a head asks for files. */
function writerOf({ writer, writerHead }: HttpSpec): string {
  return `${writerHead === '' ? '' : `, writes to ${writerHead}`}${writer === undefined ? '' : `, files from ${writer.address}`}`;
}

function forget(world: Set<string>, prefix: string): void {
  for (const there of [...world]) if (there.startsWith(prefix)) world.delete(there);
}

/** All heads that the front was told of are healthy and have nothing to do. */
function statusOf(world: Set<string>, serverId: string, serviceId: string): ActionResult {
  const prefix = `${serverId} cluster service/${serviceId} `;
  const line = [...world].find((there) => there.startsWith(prefix))?.slice(prefix.length) ?? '';
  const heads = line.split(',').map((each) => {
    const [id = '', state = ''] = each.split(' ');
    return { serviceId: id, state, healthy: true, check: '', requests: 0n, sinceSeconds: 1n };
  });
  const value = { messages: [], platform: undefined, findings: [], cluster: { heads }, ports: [] };
  return { actionId: '', changes: [], outcome: { $case: 'ok', value } };
}

function resultOf(
  actionId: string,
  changes: string[],
  messages: { kind: string; text: string; value: string; expiresAt: undefined }[] = [],
  platform: PlatformFacts | undefined = undefined,
  findings: Finding[] = [],
): ActionResult {
  const outcome = { $case: 'ok' as const, value: { messages, platform, findings, ports: [] } };
  return { actionId, changes, outcome };
}
