// Who is connected, and everything that is asked of agents: the implementation of agents.ts and of AgentService.
import { AegirError } from '../../shared/error.ts';
import { Action, AgentServiceService, type MeshCredentials } from '../../shared/gen/aegir/v1/agent.ts';
import type { UploadTaken } from '../../shared/gen/aegir/v1/backup.ts';
import type { Authority } from '../ca/authority.ts';
import type { Peer } from '../ca/peer.ts';
import type { ServerRecord } from '../store/model.ts';
import type { Store } from '../store/store.ts';
import type { ActionOrder, Agents } from './agents.ts';
import { createCountOn } from './count-on.ts';
import { createDesk, type Desk } from './desk.ts';
import type { GoodbyeReason } from './end-stream.ts';
import { type AgentStream, type GuardedAgentService, guardAgentService } from './guard.ts';
import { createRateLimit } from './rate-limit.ts';
import { createRenew } from './renew.ts';
import { runSession, type Session } from './session.ts';
import type { SessionLog } from './status.ts';
import { createPruning } from './store-reports.ts';
import { heartbeatSeconds, TIMING, type Timing } from './timing.ts';
import { createUploads, type UploadCall } from './uploads.ts';

export interface AgentSessionsDeps {
  readonly store: Store;
  readonly authority: Authority;
  readonly log: SessionLog;
  now(): number;
  /** Told of each who was refused; in bounds. peer: address:port. */
  denied?(peer: string, path: string, code: string): void;
  /** Where agents open their sessions, host:port, in order of preference. */
  masters(): readonly string[];
  /** Where agents whose certificate has expired ask for another, host:port. */
  enrolAddresses(): readonly string[];
  /** After every inventory that was stored, for example to enable what a policy names. */
  onInventory?(serverId: string): Promise<void>;
  /** For accepted servers only. A failed_precondition ends the session: that key is not for this server. */
  meshCredentials?(server: ServerRecord, meshKey: string): Promise<MeshCredentials | undefined>;
  /** True when the outcome of the action is durable, or its task has ended: then the agent may forget it. */
  isSettled?(actionId: string): Promise<boolean>;
  /** Default 4. */
  readonly actionsPerAgent?: number;
  /** Default 300. */
  readonly inventorySeconds?: number;
  /** Default by the number of agents. */
  readonly heartbeatSeconds?: number;
  readonly timing?: Partial<Timing>;
}

export interface AgentSessions extends Agents {
  /** For createAgentListener, which takes nothing else. */
  readonly service: GuardedAgentService;
  /** Says goodbye to every agent; orders end with unavailable, sessions are taken no more. */
  close(): void;
}

const MAX_ACTION_BYTES = 4 * 1024 * 1024 - 4096; // less than what a stream takes
const SESSION_BURST = 30;
const SESSIONS_PER_SECOND = 0.5;
/** Each is a write of the whole server; agents send one in minutes, and when they are asked. */
const INVENTORY_BURST = 60;
const INVENTORIES_PER_SECOND = 0.2;

export function createAgentSessions(deps: AgentSessionsDeps): AgentSessions {
  const { store, log } = deps;
  const timing = { ...TIMING, ...deps.timing };
  /** Those that said Hello, by server. */
  const sessions = new Map<string, Session>();
  const all = new Set<Session>();
  const desks = new Map<string, Desk>();
  const limit = createRateLimit({ burst: SESSION_BURST, perSecond: SESSIONS_PER_SECOND, now: deps.now });
  const inventories = createRateLimit({ burst: INVENTORY_BURST, perSecond: INVENTORIES_PER_SECOND, now: deps.now });
  const countOn = createCountOn(deps);
  const uploadLimit = createRateLimit({ burst: SESSION_BURST, perSecond: SESSIONS_PER_SECOND, now: deps.now });
  const uploads = createUploads();
  const pruneReports = createPruning(deps);
  let closed = false;

  function deskOf(serverId: string, serverName: string): Desk {
    const there = desks.get(serverId);
    if (there !== undefined) return there;
    const desk = createDesk({
      serverName,
      limit: deps.actionsPerAgent ?? 4,
      cancelMs: timing.cancelMs,
      reconnectMs: timing.reconnectMs,
      now: deps.now,
      isSettled: async (actionId) => (await deps.isSettled?.(actionId)) ?? false,
    });
    desks.set(serverId, desk);
    return desk;
  }

  async function serve(peer: Peer, call: AgentStream): Promise<void> {
    if (call.cancelled) return;
    if (closed) throw stopping();
    if (!limit.take(peer.serverId)) {
      throw new AegirError('resource_exhausted', 'cannot open a session: too many in a short time; wait a minute');
    }
    const session = runSession(peer, call, {
      store,
      log,
      timing,
      now: deps.now,
      masters: deps.masters,
      enrolAddresses: deps.enrolAddresses,
      heartbeatSeconds: deps.heartbeatSeconds ?? heartbeatSeconds(sessions.size),
      inventorySeconds: deps.inventorySeconds ?? 300,
      meshCredentials: async (server, meshKey) => deps.meshCredentials?.(server, meshKey),
      countOn,
      denied: (code) => deps.denied?.(call.getPeer(), AgentServiceService.session.path, code),
      mayStoreInventory: (serverId) => inventories.take(serverId),
      onInventory: async (serverId) => deps.onInventory?.(serverId),
      pruneReports,
      desk: deskOf(peer.serverId, peer.server.name),
      onHello(greeted) {
        const older = sessions.get(greeted.serverId);
        sessions.set(greeted.serverId, greeted);
        older?.end(new AegirError('aborted', 'cannot go on with the session: a newer one took over'), 'replaced');
      },
      onEnd(ended) {
        all.delete(ended);
        if (sessions.get(ended.serverId) === ended) sessions.delete(ended.serverId);
      },
    });
    all.add(session);
  }

  async function upload(peer: Peer, call: UploadCall): Promise<UploadTaken> {
    if (closed) throw stopping();
    if (!uploadLimit.take(peer.serverId)) {
      throw new AegirError('resource_exhausted', 'cannot take the upload: too many in a short time; wait a minute');
    }
    return uploads.serve(peer, call);
  }

  /** The stream that carries an action too big would end, again and again. */
  function fits(order: ActionOrder): void {
    const { id, resource, taskId, step, request } = order;
    const bytes = Action.encode(Action.fromPartial({ id, resource, taskId, step, request })).finish().length;
    if (bytes <= MAX_ACTION_BYTES) return;
    throw new AegirError('invalid_argument', `cannot act on the server: the action has ${bytes} bytes`);
  }

  const openSession = (serverId: string): Session | undefined => {
    const session = sessions.get(serverId);
    return session?.open ? session : undefined;
  };

  async function usable(serverId: string, doing: string): Promise<ServerRecord> {
    if (closed) throw stopping();
    const server = await store.servers.get(serverId);
    if (server === undefined) throw new AegirError('not_found', `cannot ${doing} server ${serverId}: there is none`);
    if (server.state === 'revoked') throw wasRevoked(server.name);
    return server;
  }

  async function connected(serverId: string, doing: string): Promise<Session> {
    const server = await usable(serverId, doing);
    const session = openSession(serverId);
    if (session !== undefined) return session;
    throw new AegirError(
      'unavailable',
      `cannot ${doing} ${server.name}: its agent is not connected; look at aegir-agent there`,
    );
  }

  return {
    service: guardAgentService(
      { store, now: deps.now, log, denied: (peer, path, code) => deps.denied?.(peer, path, code) },
      { session: serve, renew: createRenew(deps), upload },
    ),
    isConnected: (serverId) => openSession(serverId) !== undefined,
    connectedCount: () => [...sessions.values()].filter((session) => session.open).length,
    vitals: (serverId) => openSession(serverId)?.vitals,

    async perform(serverId, order, options) {
      fits(order);
      const server = await usable(serverId, 'act on');
      const session = openSession(serverId);
      // Accepted since its session began: it need not wait for the next heartbeat.
      if (server.state === 'accepted' && session?.accepted === false) await session.recheck();
      if (closed) throw stopping();
      return deskOf(serverId, server.name).perform(order, options);
    },

    async ask(serverId, request, timeoutMs) {
      const session = await connected(serverId, 'ask');
      if (!session.accepted) await session.recheck();
      if (!session.accepted) {
        throw new AegirError('failed_precondition', 'cannot ask the server: it is pending; run: aegir server accept');
      }
      return session.questions.ask(request, timeoutMs);
    },

    expectUpload: (serverId) => uploads.expect(serverId),

    async refreshInventory(serverId, timeoutMs) {
      const session = await connected(serverId, 'take the inventory of');
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(() => {
        const why = `no inventory within ${timeoutMs / 1000} s`;
        late.reject(new AegirError('deadline_exceeded', `cannot take the inventory of the server: ${why}`));
      }, timeoutMs);
      try {
        await Promise.race([session.refreshInventory(), late.promise]);
      } finally {
        clearTimeout(timer);
      }
    },

    disconnect(serverId, reason) {
      for (const session of [...all]) if (session.serverId === serverId) session.end(reasonError(reason), reason);
      if (reason !== 'revoked') return;
      uploads.end(wasRevoked('the server'), serverId);
      desks.get(serverId)?.fail(wasRevoked('the server'));
      desks.delete(serverId);
    },

    close() {
      closed = true;
      for (const session of [...all]) session.end(stopping(), 'shutdown');
      uploads.end(stopping());
      for (const desk of desks.values()) desk.fail(stopping());
    },
  };
}

function reasonError(reason: GoodbyeReason): AegirError {
  if (reason === 'revoked') return new AegirError('permission_denied', 'cannot go on with the session: it was revoked');
  if (reason === 'shutdown') return stopping();
  return new AegirError('aborted', 'cannot go on with the session: a newer one took over');
}

function stopping(): AegirError {
  return new AegirError('unavailable', 'cannot go on: this master is stopping');
}

function wasRevoked(name: string): AegirError {
  return new AegirError('failed_precondition', `cannot act on ${name}: it was revoked; let the host join again`);
}
