// The agent's connection to the mesh: mutual TLS with the agent's certificate, JWT from the master, own key's signature.
import { connect, type NatsConnection } from 'nats';
import type { MeshCredentials } from '../../shared/gen/aegir/v1/agent.ts';
import { meshLogin } from '../../shared/mesh-login.ts';
import type { KeyPair } from '../../shared/nkeys.ts';
import { gatherLargeMessages } from './large-messages.ts';
import { createLink } from './link.ts';
import type { Link, Links, Mesh } from './mesh.ts';

export interface MeshCertificate {
  /** PEM: certificate, key, certificate authority. */
  readonly certificate: string;
  readonly key: string;
  readonly ca: string;
}

export interface MeshDeps {
  /** Id of the server that this agent is of. */
  readonly serverId: string;
  readonly key: KeyPair;
  /** Asked for at every connect, so that a renewed one is used. */
  identity(): Promise<MeshCertificate>;
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 30_000;
/** A connection that held so long was a good one. */
const STEADY_MS = 3000;

/** Connects when the master gives leave, and again after every loss, until closed. Each connect uses the newest leave. */
export function createMeshConnection(deps: MeshDeps): Mesh & Links {
  gatherLargeMessages();
  let credentials: MeshCredentials | undefined;
  let connection: NatsConnection | undefined;
  let loop: Promise<void> | undefined;
  const end = new AbortController();
  let wake = () => {};
  let link: Link | undefined;
  const listeners = new Set<(link: Link) => void>();

  const once = async (leave: MeshCredentials): Promise<void> => {
    const { certificate, key, ca } = await deps.identity();
    const made = await connect({
      servers: leave.servers,
      authenticator: meshLogin(() => credentials?.jwt ?? leave.jwt, deps.key.getSeed()),
      tls: { cert: certificate, key, ca },
      // We reconnect ourselves: the client's own way keeps the first certificate for ever.
      reconnect: false,
      timeout: 10_000,
      pingInterval: 20_000,
      maxPingOut: 2,
    });
    connection = made;
    link = createLink(made, deps.serverId);
    for (const told of listeners) told(link);
    deps.log('info', `mesh: connected to ${made.getServer()}`);
    const why = await made.closed();
    connection = undefined;
    link = undefined;
    if (!end.signal.aborted) deps.log('warn', `mesh: connection lost${why instanceof Error ? `: ${why.message}` : ''}`);
  };

  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const run = async (): Promise<void> => {
    for (let backoff = FIRST_BACKOFF_MS; !end.signal.aborted; ) {
      const leave = credentials;
      const valid = leave !== undefined && (leave.expiresAt?.getTime() ?? 0) > Date.now();
      if (valid) {
        try {
          const start = Date.now();
          await once(leave);
          if (Date.now() - start > STEADY_MS) backoff = FIRST_BACKOFF_MS;
        } catch (error) {
          connection = undefined;
          link = undefined;
          deps.log('warn', `mesh: cannot connect: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
      if (end.signal.aborted) return;
      await pause(backoff * (0.5 + Math.random() / 2));
      backoff = Math.min(backoff * 2, MAX_BACKOFF_MS);
    }
  };

  return {
    key: () => deps.key.getPublicKey(),
    update: (fresh) => {
      credentials = fresh;
      loop ??= run();
      wake();
    },
    state: () => (credentials === undefined ? 'off' : connection === undefined ? 'disconnected' : 'connected'),
    current: () => link,
    onLink: (told) => {
      listeners.add(told);
      if (link !== undefined) told(link);
      return () => listeners.delete(told);
    },
    grantKey: () => credentials?.grantKey ?? '',
    close: async () => {
      end.abort();
      wake();
      await connection?.close();
      await loop;
    },
  };
}
