// The mesh as the master sees it: one node of its own, credentials for agents, revocations pushed to live nodes.
import { connect, Events, type NatsConnection } from 'nats';
import { AegirError } from '../../shared/error.ts';
import type { MeshCredentials } from '../../shared/gen/aegir/v1/agent.ts';
import type { Grant } from '../../shared/gen/aegir/v1/mesh.ts';
import { meshLogin } from '../../shared/mesh-login.ts';
import { createUser } from '../../shared/nkeys.ts';
import type { Store } from '../store/store.ts';
import { accountClaims, agentClaims, operatorClaims, systemClaims, systemUserClaims } from './claims.ts';
import { createGrants, type GrantOrder } from './grants.ts';
import type { MeshKeys } from './keys.ts';
import { type MeshNode, type NodeOptions, startMeshNode } from './node.ts';
import { holdUserKey, userKeysOf } from './user-keys.ts';

export interface MeshOptions extends Omit<NodeOptions, 'claims'> {
  readonly keys: MeshKeys;
  readonly store: Store;
  /** host:port as agents reach the node. */
  readonly advertise: string;
  /** How long leave for one transfer lasts; default and at most an hour. */
  readonly grantMs?: number;
  now(): number;
}

export interface Mesh {
  state(): 'running' | 'stopped';
  /**
   * For an accepted server and its agent's public nkey, which is that server's for ever. Throws failed_precondition for a
   * key that is another's, or one too many; permission_denied for a key or server that was revoked.
   */
  credentials(serverId: string, userKey: string): Promise<MeshCredentials>;
  /** Leave to transfer one object; stored nowhere. Throws failed_precondition for servers that may not take part. */
  grant(order: GrantOrder): Promise<Grant>;
  /** Cuts what connects with any key the server had leave for, now and for ever. Durable. Resolves when the node has it. */
  revoke(serverId: string): Promise<void>;
  close(): Promise<void>;
}

const USER_LIFE_MS = 3600_000;
const SYSTEM_LIFE_MS = 365 * 24 * 3600_000;
const REVOCATIONS = 'mesh.revocations';
const PUSH_TIMEOUT_MS = 4000;
const PUSH_ONCE_MS = 500;

export async function openMesh(options: MeshOptions): Promise<Mesh> {
  const { keys, store } = options;
  const current = async () => accountClaims(keys, await revocations(store));
  const accounts = async () => ({
    [keys.system.getPublicKey()]: await systemClaims(keys),
    [keys.account.getPublicKey()]: await current(),
  });
  const claims = async () => ({
    operatorJwt: await operatorClaims(keys),
    systemAccount: keys.system.getPublicKey(),
    accounts: await accounts(),
  });
  const node: MeshNode = await startMeshNode({ ...options, claims: await claims() });
  let system: NatsConnection;
  try {
    system = await connectSystem(options);
    // The node keeps the claims it had: a revocation while it was down is pushed now.
    await push(system, await current());
  } catch (cause) {
    await node.stop();
    throw cause;
  }
  void pushAgain(system, current, options.log);

  /** The client keeps the certificate and the JWT it began with, so a new certificate makes a new connection. */
  const renew = async () => {
    await node.reload();
    if (closed) return;
    const fresh = await connectSystem(options);
    if (closed) return void (await fresh.close());
    const old = system;
    system = fresh;
    // What was pushed since its start, in case that the files told it otherwise.
    await push(fresh, await current());
    void pushAgain(fresh, current, options.log);
    await old.close();
  };
  let closed = false;
  let renewing = Promise.resolve();
  const unheard = options.serving.onChange(() => {
    renewing = renewing.then(renew).catch((thrown: unknown) => {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      options.log('warn', `mesh node: its new certificate is not in use yet: ${why}; it is at the next start`);
    });
  });
  return {
    state: () => node.state(),
    credentials: async (serverId, userKey) => {
      if (!/^U[A-Z2-7]{55}$/.test(userKey)) {
        throw new AegirError('invalid_argument', 'cannot give leave to use the mesh: that is no public user nkey');
      }
      const expiresAt = options.now() + USER_LIFE_MS;
      // Signed before the key is held: whatever revokes it from then on is later than this JWT, and voids it.
      const jwt = await agentClaims(keys, serverId, userKey, expiresAt);
      await holdUserKey(store, serverId, userKey);
      // A revocation voids the JWTs made before it; this key shall get none after it either.
      if (Object.hasOwn(await revocations(store), userKey)) {
        throw new AegirError(
          'permission_denied',
          'cannot give leave to use the mesh: that key was revoked; join again',
        );
      }
      return {
        ...{ jwt, servers: [`tls://${options.advertise}`], expiresAt: new Date(expiresAt) },
        grantKey: keys.account.getPublicKey(),
      };
    },
    grant: createGrants({ key: keys.account, store, lifeMs: options.grantMs, now: options.now }),
    revoke: async (serverId) => {
      const ended = await store.transaction(async (tx) => {
        const ours = await userKeysOf(tx, serverId);
        const until = Math.ceil(options.now() / 1000) + 1;
        const all = { ...(await revocations(tx)), ...Object.fromEntries(ours.map((key) => [key, until])) };
        const value = JSON.stringify(all);
        if ((await tx.settings.get(REVOCATIONS)) === undefined) await tx.settings.insert({ id: REVOCATIONS, value });
        else await tx.settings.update(REVOCATIONS, { value });
        return ours;
      });
      if (ended.length === 0) return;
      // A node that starts again reads its files before anybody can push.
      node.write(await claims());
      await push(system, await current());
    },
    close: async () => {
      closed = true;
      unheard();
      await renewing;
      await system.close();
      await node.stop();
    },
  };
}

async function revocations(store: Pick<Store, 'settings'>): Promise<Record<string, number>> {
  const setting = await store.settings.get(REVOCATIONS);
  return setting === undefined ? {} : (JSON.parse(setting.value) as Record<string, number>);
}

async function connectSystem(options: MeshOptions): Promise<NatsConnection> {
  const user = createUser();
  const { chainPem, keyPem } = options.serving.current();
  const jwt = await systemUserClaims(options.keys, user.getPublicKey(), options.now() + SYSTEM_LIFE_MS);
  return connect({
    servers: `tls://${options.host.includes(':') ? `[${options.host}]` : options.host}:${options.port}`,
    authenticator: meshLogin(() => jwt, user.getSeed()),
    tls: { cert: chainPem, key: keyPem, ca: options.ca },
    name: 'master',
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitterTLS: 100,
    ignoreAuthErrorAbort: true,
  });
}

/** A node that was started again has the claims of before: what was recorded meanwhile is pushed. */
async function pushAgain(
  system: NatsConnection,
  current: () => Promise<string>,
  log: MeshOptions['log'],
): Promise<void> {
  for await (const { type } of system.status()) {
    if (type !== Events.Reconnect) continue;
    try {
      await push(system, await current());
    } catch (thrown) {
      log('warn', `mesh node: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
  }
}

/**
 * $SYS.REQ.CLAIMS.UPDATE of nats-server: stores the account's claims and acts on them before it answers. What is asked
 * while the connection is being made again is lost, so it is asked again.
 */
async function push(system: NatsConnection, jwt: string): Promise<void> {
  const claims = new TextEncoder().encode(jwt);
  for (const deadline = Date.now() + PUSH_TIMEOUT_MS; ; ) {
    const asked = Date.now();
    try {
      const answer = await system.request('$SYS.REQ.CLAIMS.UPDATE', claims, { timeout: PUSH_ONCE_MS });
      const { error } = JSON.parse(answer.string()) as { error?: { description?: string } };
      if (error !== undefined) throw new Error(error.description ?? 'no reason given');
      return;
    } catch (cause) {
      if (Date.now() >= deadline || system.isClosed()) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new AegirError(
          'unavailable',
          `cannot tell the mesh node who is revoked: ${why}; it is recorded, and told when the node answers again`,
          { cause },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, asked + PUSH_ONCE_MS - Date.now())));
    }
  }
}
