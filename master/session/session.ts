// One agent's stream, from Hello to its end. Messages are handled one after another; the stream is not read meanwhile,
// so that an agent that talks faster than we store is slowed down instead of buffered.
import { AegirError, toAegirError } from '../../shared/error.ts';
import type {
  AgentMessage,
  Heartbeat,
  Hello,
  Inventory,
  MasterMessage,
  SiteReports,
} from '../../shared/gen/aegir/v1/agent.ts';
import { confirmPeer, type Peer } from '../ca/peer.ts';
import type { ServerRecord } from '../store/model.ts';
import type { Desk, Link } from './desk.ts';
import { endStream, type GoodbyeReason } from './end-stream.ts';
import type { AgentStream } from './guard.ts';
import { createMeshLeave, isMeshKey } from './mesh-leave.ts';
import { createOutbox } from './outbox.ts';
import { createQuestions, type Questions } from './questions.ts';
import { type InventoryDeps, storeInventory } from './store-inventory.ts';
import { storeReports } from './store-reports.ts';
import type { Timing } from './timing.ts';

export interface SessionDeps extends InventoryDeps {
  readonly timing: Timing;
  readonly heartbeatSeconds: number;
  readonly inventorySeconds: number;
  masters(): readonly string[];
  /** Where agents whose certificate has expired ask for another, host:port. */
  enrolAddresses(): readonly string[];
  meshCredentials(server: ServerRecord, meshKey: string): ReturnType<MeshCredentialsOf>;
  /** After every inventory that was stored. */
  onInventory(serverId: string): Promise<void>;
  /** After reports were stored: forgets old ones, now and then. */
  pruneReports(): Promise<void>;
  /** The server's orders. */
  readonly desk: Desk;
  /** The agent has seen this generation: later ones are above it, in bounds. */
  countOn(server: ServerRecord, highest: bigint): Promise<void>;
  /** Told when an agent asked for what it may not have. */
  denied(code: string): void;
  /** False: this server says too often what it has. */
  mayStoreInventory(serverId: string): boolean;
  /** This session is the server's now; whatever was before ends. */
  onHello(session: Session): void;
  onEnd(session: Session): void;
}

type MeshCredentialsOf = Parameters<typeof createMeshLeave>[0]['credentials'];
type Body = NonNullable<AgentMessage['body']>;

export interface Vitals {
  readonly rssBytes: number;
  readonly meshState: string;
}

export interface Session {
  readonly serverId: string;
  /** Welcomed. */
  readonly open: boolean;
  readonly accepted: boolean;
  readonly vitals: Vitals;
  readonly questions: Questions;
  /** Resolves when an inventory that came after the call was stored. */
  refreshInventory(): Promise<void>;
  /** Looks whether the server was accepted meanwhile, or its identity ended: then the session does, too. */
  recheck(): Promise<void>;
  end(error: AegirError, goodbye?: GoodbyeReason): void;
}

const PROTOCOL = 1;
const MAX_WAITING = 256;
const MAX_OPEN_ACTIONS = 2000;
const MAX_ID = 128;

export function runSession(peer: Peer, call: AgentStream, deps: SessionDeps): Session {
  const { serverId } = peer;
  const { timing, log, desk } = deps;
  let server = peer.server;
  let phase: 'new' | 'hello' | 'open' | 'ended' = 'new';
  let handling = false;
  let link: Link | undefined;
  let vitals: Vitals = { rssBytes: 0, meshState: 'off' };
  let seenAt = 0;
  let meshKey = '';
  let afterInventory: Promise<void> = Promise.resolve();
  const waitingForInventory: PromiseWithResolvers<void>[] = [];

  const outbox = createOutbox(call, {
    max: MAX_WAITING,
    stallMs: timing.stallMs,
    onStall: () => end(new AegirError('resource_exhausted', 'cannot go on with the session: the agent does not read')),
  });
  const send = (body: NonNullable<MasterMessage['body']>): void => {
    if (phase === 'ended' || outbox.send(body)) return;
    end(new AegirError('resource_exhausted', 'cannot go on with the session: the agent does not read'));
  };
  const questions = createQuestions(server.name, send);
  const mesh = createMeshLeave({
    credentials: (key) => deps.meshCredentials(server, key),
    refused: (error) => {
      log.warn({ server: serverId, name: server.name, why: error.message }, 'an agent was refused its mesh key');
      deps.denied(error.code);
      end(error);
    },
    ...{ send, log, now: deps.now },
  });

  let patience = setTimeout(
    () => end(new AegirError('deadline_exceeded', `cannot open a session: no Hello within ${timing.helloMs} ms`)),
    timing.helloMs,
  );

  function end(error: AegirError, goodbye?: GoodbyeReason): void {
    if (!over(error)) return;
    const revoked = goodbye === 'revoked' || error.code === 'permission_denied';
    endStream(call, error, {
      cutMs: timing.cutMs,
      wholeConnection: revoked,
      ...(revoked ? { goodbye: 'revoked' as const } : goodbye === undefined ? {} : { goodbye }),
    });
  }

  /** False when it was over already. */
  function over(error: AegirError): boolean {
    if (phase === 'ended') return false;
    const was = phase;
    phase = 'ended';
    clearTimeout(patience);
    outbox.close();
    mesh.close();
    if (link !== undefined) desk.detach(link);
    const lost = new AegirError('unavailable', `cannot reach ${server.name}: its session ended`, { cause: error });
    questions.close(lost);
    for (const waiting of waitingForInventory.splice(0)) waiting.reject(lost);
    if (was !== 'new') log.info({ server: serverId, name: server.name, why: error.message }, 'session over');
    deps.onEnd(session);
    return true;
  }

  /** The agent went away by itself, or the connection broke. */
  const gone = (why: string): void => {
    if (over(new AegirError('unavailable', why)) && !call.cancelled) call.end();
  };

  function adopt(next: ServerRecord): void {
    server = next;
    if (phase !== 'open' || link !== undefined || server.state !== 'accepted') return;
    link = { bootId: hello.bootId, openActions: hello.openActions, send };
    desk.attach(link);
    if (meshKey !== '') mesh.give(meshKey);
  }
  let hello: Pick<Link, 'bootId' | 'openActions'> = { bootId: '', openActions: new Set() };

  async function onHello(message: Hello): Promise<void> {
    if (message.protocol !== PROTOCOL) {
      throw new AegirError(
        'failed_precondition',
        `cannot open a session: the agent speaks protocol ${message.protocol} and this master ${PROTOCOL}; install the same version of both`,
      );
    }
    phase = 'hello';
    const open = message.openActions.filter((id) => id.length <= MAX_ID).slice(0, MAX_OPEN_ACTIONS);
    hello = { bootId: message.bootId.slice(0, MAX_ID), openActions: new Set(open) };
    meshKey = isMeshKey(message.meshKey) ? message.meshKey : '';
    // Before the store is asked: a revocation from now on finds this session.
    deps.onHello(session);
    await deps.countOn(server, message.highestGeneration);
    const next = await storeInventory(deps, serverId, message.inventory, call.getPeer());
    if (isEnded()) return;
    server = next;
    seenAt = deps.now();
    phase = 'open';
    send({
      $case: 'welcome',
      value: {
        serverState: server.state,
        serverName: server.name,
        heartbeatSeconds: deps.heartbeatSeconds,
        inventorySeconds: deps.inventorySeconds,
        masters: [...deps.masters()],
        enrolAddresses: [...deps.enrolAddresses()],
      },
    });
    log.info({ server: serverId, name: server.name, state: server.state, peer: call.getPeer() }, 'session open');
    expectHeartbeats();
    adopt(server);
    toldInventory([]);
  }

  function expectHeartbeats(): void {
    clearTimeout(patience);
    const within = deps.heartbeatSeconds * 1000 * timing.missed;
    patience = setTimeout(() => {
      // What we did not get to read yet is no silence of the agent.
      if (handling) expectHeartbeats();
      else end(new AegirError('deadline_exceeded', `cannot go on with the session: nothing came for ${within} ms`));
    }, within);
  }

  async function onHeartbeat(beat: Heartbeat): Promise<void> {
    vitals = { rssBytes: Number(beat.rssBytes), meshState: beat.meshState.slice(0, MAX_ID) };
    // Jitter: a fleet that came back together must not write together for ever.
    if (deps.now() - seenAt < timing.seenMs * (1 + Math.random() * 0.2)) return;
    seenAt = deps.now();
    await recheck();
    if (!isEnded()) await deps.store.servers.update(serverId, { lastSeenAt: seenAt });
  }

  /** Another master, or time, may have ended the identity that this stream was opened with. */
  async function recheck(): Promise<void> {
    try {
      const next = await confirmPeer(deps, serverId, peer.serial);
      if (!isEnded()) adopt(next.server);
    } catch (thrown) {
      end(toAegirError(thrown, 'go on with the session'));
    }
  }

  async function onInventory(inventory: Inventory): Promise<void> {
    if (!deps.mayStoreInventory(serverId)) {
      throw new AegirError('resource_exhausted', 'cannot take the inventory: too many in a short time; wait a minute');
    }
    const waiters = waitingForInventory.splice(0);
    try {
      const next = await storeInventory(deps, serverId, inventory, call.getPeer());
      if (!isEnded()) adopt(next);
    } catch (thrown) {
      for (const waiting of waiters) waiting.reject(toAegirError(thrown, 'take the inventory'));
      throw thrown;
    }
    seenAt = deps.now();
    toldInventory(waiters);
  }

  /** Of an accepted server: a pending one has no sites. */
  async function onReports(reports: SiteReports): Promise<void> {
    if (link === undefined) return;
    await storeReports(deps, serverId, reports);
    if (!isEnded()) send({ $case: 'reportsTaken', value: { batch: reports.batch } });
    await deps.pruneReports();
  }

  /** Who asked for an inventory wants what follows from it, too; the stream does not wait for that. */
  function toldInventory(waiters: readonly PromiseWithResolvers<void>[]): void {
    afterInventory = afterInventory
      .then(() => deps.onInventory(serverId))
      .catch((thrown: unknown) => log.error({ err: thrown, server: serverId }, 'cannot follow up an inventory'))
      .then(() => {
        for (const waiting of waiters) waiting.resolve();
      });
  }

  async function handle(body: Body): Promise<void> {
    if (phase === 'new') {
      if (body.$case !== 'hello') throw new AegirError('invalid_argument', 'cannot open a session: Hello comes first');
      return onHello(body.value);
    }
    switch (body.$case) {
      case 'hello':
        throw new AegirError('invalid_argument', 'cannot open a session twice on one stream');
      case 'heartbeat':
        return onHeartbeat(body.value);
      case 'inventory':
        return onInventory(body.value);
      case 'event':
        if (link !== undefined) desk.event(link, body.value);
        return;
      case 'result':
        // A pending server was asked nothing, so it has nothing to answer.
        if (link !== undefined && !questions.answer(body.value)) desk.result(link, body.value);
        return;
      case 'siteReports':
        return onReports(body.value);
      case 'mesh':
        if (!isMeshKey(body.value.meshKey)) throw new AegirError('invalid_argument', 'cannot use that mesh key');
        meshKey = body.value.meshKey;
        if (link !== undefined) mesh.give(meshKey);
        return;
    }
  }

  const isEnded = (): boolean => phase === 'ended';

  call.on('data', (message: AgentMessage) => {
    if (isEnded()) return;
    if (phase !== 'new') expectHeartbeats();
    if (message.body === undefined) return; // of a kind that a newer agent knows
    handling = true;
    call.pause();
    handle(message.body).then(
      () => {
        handling = false;
        call.resume();
      },
      (thrown: unknown) => {
        const error = toAegirError(thrown, 'go on with the session');
        if (error.code === 'internal') log.error({ err: thrown, server: serverId }, error.message);
        end(error);
      },
    );
  });
  call.on('end', () => gone('the agent ended the session'));
  call.on('cancelled', () => gone('the agent or its connection went away'));

  const session: Session = {
    serverId,
    get open() {
      return phase === 'open';
    },
    get accepted() {
      return link !== undefined;
    },
    get vitals() {
      return vitals;
    },
    questions,
    refreshInventory() {
      const waiting = Promise.withResolvers<void>();
      waitingForInventory.push(waiting);
      send({ $case: 'takeInventory', value: {} });
      return waiting.promise;
    },
    recheck,
    end,
  };
  return session;
}
