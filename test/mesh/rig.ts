// A mesh with the real nats-server, and agents on it as their own main.ts makes them, for tests of transfers.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUser } from 'nats-jwt';
import { pino } from 'pino';
import { createMeshConnection } from '../../agent/mesh/connection.ts';
import { checkGrant } from '../../agent/mesh/grant.ts';
import { createLimiter } from '../../agent/mesh/limiter.ts';
import type { Mesh as AgentMesh, Links } from '../../agent/mesh/mesh.ts';
import type { ObjectKind } from '../../agent/mesh/objects.ts';
import { type ReceiverOptions, receive } from '../../agent/mesh/receiver.ts';
import { createSender, type Sender, type SenderOptions } from '../../agent/mesh/sender.ts';
import { openAuthority } from '../../master/ca/authority.ts';
import { openServing } from '../../master/ca/serving.ts';
import { opensslRequest } from '../../master/ca/testing/openssl.ts';
import { type GrantOrder, signGrant } from '../../master/mesh/grants.ts';
import { openMeshKeys } from '../../master/mesh/keys.ts';
import { type Mesh, openMesh } from '../../master/mesh/mesh.ts';
import { openSqliteStore } from '../../master/store/open-sqlite.ts';
import { MeshCredentials, type TransferFacts } from '../../shared/gen/aegir/v1/agent.ts';
import type { Grant } from '../../shared/gen/aegir/v1/mesh.ts';
import { fromSeed } from '../../shared/nkeys.ts';
import { server } from '../records.ts';

/** What an agent needs to be on the mesh: plain values, so that it can be handed to another process. */
export interface Passport {
  readonly id: string;
  readonly dir: string;
  readonly seed: string;
  readonly certificate: string;
  readonly key: string;
  readonly ca: string;
  /** MeshCredentials as JSON. */
  readonly credentials: unknown;
}

export interface Peer {
  readonly id: string;
  readonly dir: string;
  readonly mesh: AgentMesh & Links;
  readonly sender: Sender;
  readonly log: string[];
  /** The kinds of the agent take it. */
  receive(grant: Grant, options?: PeerReceive): Promise<TransferFacts>;
  close(): Promise<void>;
}

export interface PeerReceive {
  readonly signal?: AbortSignal;
  readonly onProgress?: (bytes: number) => void;
}

export interface PeerOptions extends Partial<Omit<SenderOptions, 'kinds'>>, Partial<Omit<ReceiverOptions, 'limiter'>> {
  readonly kinds: readonly ObjectKind[];
  readonly bytesPerSecond?: number;
}

export interface MeshRig {
  readonly dir: string;
  readonly mesh: Mesh;
  readonly port: number;
  passport(id: string): Promise<Passport>;
  /** Signed as the master does; patches are for attacks. */
  grant(order: Omit<GrantOrder, 'name'> & { readonly name: string }, now?: number): Grant;
  pidOfNode(): number;
  close(): Promise<void>;
}

export async function createMeshRig(root = tmpdir()): Promise<MeshRig> {
  const dir = mkdtempSync(join(root, 'aegir-transfer-'));
  const authority = await openAuthority({ dir: join(dir, 'ca'), now: Date.now });
  const serving = await openServing({
    ...{ authority, dir: join(dir, 'ca'), file: 'mesh', identity: 'aegir://mesh', names: ['127.0.0.1', 'localhost'] },
    ...{ clientAuth: true, now: Date.now, log: pino({ level: 'silent' }) },
  });
  const store = await openSqliteStore({ dir: join(dir, 'store') });
  const port = await freePort();
  const keys = openMeshKeys(join(dir, 'keys.json'));
  const mesh = await openMesh({
    ...{ dir: join(dir, 'node'), host: '127.0.0.1', port, serving, ca: authority.caPem, keys, store },
    ...{ advertise: `127.0.0.1:${port}`, now: Date.now, log: () => {} },
  });
  let grants = 0;
  return {
    ...{ dir, mesh, port },
    async passport(id) {
      const user = createUser();
      const { csrPem, keyPem } = opensslRequest();
      const { pem } = await authority.issueServer(id, csrPem);
      if ((await store.servers.get(id)) === undefined) await store.servers.insert(server(id, id, '192.0.2.1'));
      const credentials = await mesh.credentials(id, user.getPublicKey());
      const own = join(dir, id);
      mkdirSync(own, { recursive: true });
      const seed = Buffer.from(user.getSeed()).toString();
      const plain = MeshCredentials.toJSON(credentials);
      return { id, dir: own, seed, certificate: pem, key: keyPem, ca: authority.caPem, credentials: plain };
    },
    grant(order, now = Date.now()) {
      grants += 1;
      return signGrant(keys.account, { ...order, id: grants.toString(16).padStart(32, '0') }, now);
    },
    pidOfNode: () => Number(readFileSync(join(dir, 'node', 'node.pid'), 'utf8')),
    async close() {
      await mesh.close();
      serving.close();
      await store.close();
      rmSync(dir, { recursive: true });
    },
  };
}

/** An agent's mesh and both sides of transfers, as main.ts wires them. */
export function openPeer(passport: Passport, options: PeerOptions): Peer {
  const log: string[] = [];
  const note = (level: string, text: string) => void log.push(`${level}: ${text}`);
  const mesh = createMeshConnection({
    ...{ serverId: passport.id, key: fromSeed(Buffer.from(passport.seed)), log: note },
    identity: async () => ({ certificate: passport.certificate, key: passport.key, ca: passport.ca }),
  });
  mesh.update(MeshCredentials.fromJSON(passport.credentials));
  const limiter = createLimiter(options.bytesPerSecond);
  const { now = Date.now } = options;
  const sender = createSender({ ...options, me: passport.id, links: mesh, limiter, log: note, now });
  return {
    ...{ id: passport.id, dir: passport.dir, mesh, sender, log },
    async receive(grant, { signal = new AbortController().signal, onProgress = () => {} } = {}) {
      const view = { key: mesh.grantKey(), me: passport.id, as: 'receiver' as const, now: now() };
      const checked = checkGrant(grant, view);
      const kind = options.kinds.find((each) => each.kind === checked.kind);
      if (kind === undefined) throw new Error(`no kind ${checked.kind}`);
      return receive({ ...options, links: mesh, limiter, now, log: note }, checked, await kind.take(checked), {
        ...{ from: checked.senderId, signal, onProgress: ({ bytes }) => onProgress(bytes) },
      });
    },
    async close() {
      await sender.close();
      await mesh.close();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
