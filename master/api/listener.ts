// The listener of the Admin API: TLS, the admin services, health and reflection.
import { Server } from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { authorise } from '../admin/authorise.ts';
import type { AdminDeps } from '../admin/deps.ts';
import { grpcCredentials } from '../ca/grpc-credentials.ts';
import type { Serving } from '../ca/serving.ts';
import { type ConnectionLimits, createConnections } from '../listen/connections.ts';
import { holdWhileCalled, type Listener, listenGrpc } from '../listen/grpc-listener.ts';
import { createDoor } from './door.ts';
import { type ApiLog, addAdminServices } from './grpc.ts';
import { ADMIN_SERVICES } from './methods.ts';
import { RIGHTS } from './rights.ts';

export interface ApiListenerOptions {
  /** host:port; port 0 for any. */
  readonly address: string;
  readonly serving: Serving;
  /** Loaded protos, for reflection. */
  readonly definitions: PackageDefinition;
  readonly log: ApiLog;
  readonly connections?: Partial<ConnectionLimits>;
}

/** Full names, from the paths of their methods. */
const SERVED = ADMIN_SERVICES.map((service) => Object.values(service)[0]?.path.split('/')[1] ?? '');
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Everybody in an office may come from one address. */
const CONNECTIONS: ConnectionLimits = { most: 1000, mostOfAddress: 200, patienceMs: 10_000 };
const MAX_IDLE_MS = 10 * 60_000;
/** Of health and reflection. */
const STRANGERS = {
  calls: { most: 100, mostOfAddress: 10 },
  callMs: 5_000,
  streams: { most: 20, mostOfAddress: 4 },
  streamMs: 10_000,
};
const REQUEST_MS = 30_000;

export async function createApiListener(deps: AdminDeps, options: ApiListenerOptions): Promise<Listener> {
  const connections = createConnections({ ...CONNECTIONS, ...options.connections });
  const server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': 200,
    'grpc.max_connection_idle_ms': MAX_IDLE_MS,
    'grpc.keepalive_time_ms': 25_000,
    'grpc.keepalive_timeout_ms': 10_000,
    interceptors: [
      holdWhileCalled(connections),
      createDoor({
        authorise: (token) => authorise(deps, token),
        // A path that is none of ours is a stranger's own text.
        denied: (peer, path, outcome) =>
          deps.denied({ peer, method: RIGHTS[path] === undefined ? 'no method of ours' : path, outcome }),
        open: ['/grpc.health.', '/grpc.reflection.'],
        known: connections.trust,
        strangers: STRANGERS,
        requestMs: REQUEST_MS,
      }),
    ],
  });
  addAdminServices(server, deps, options.log);
  const health = new HealthImplementation({ '': 'SERVING' });
  health.addToServer(server);
  // Those of agents are served elsewhere.
  new ReflectionService(options.definitions, { services: [...SERVED] }).addToServer(server);
  const listener = await listenGrpc(server, options.address, grpcCredentials(options.serving), connections);
  return {
    port: listener.port,
    close: () => {
      health.setStatus('', 'NOT_SERVING');
      return listener.close();
    },
  };
}
