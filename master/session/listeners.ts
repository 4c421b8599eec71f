// The two listeners for hosts: one where strangers may only join, one where only agents with a certificate get in.
// Certificates are swapped while they listen; streams that are open stay open.
import { Server } from '@grpc/grpc-js';
import { AgentServiceService, type EnrolServiceServer, EnrolServiceService } from '../../shared/gen/aegir/v1/agent.ts';
import { grpcCredentials } from '../ca/grpc-credentials.ts';
import type { Serving } from '../ca/serving.ts';
import { type ConnectionLimits, createConnections } from '../listen/connections.ts';
import { holdWhileCalled, type Listener, listenGrpc } from '../listen/grpc-listener.ts';
import type { GuardedAgentService } from './guard.ts';

export interface EnrolListenerOptions {
  /** host:port; port 0 for any. */
  readonly address: string;
  readonly serving: Serving;
  readonly service: EnrolServiceServer;
  readonly connections?: Partial<ConnectionLimits>;
}

export interface AgentListenerOptions {
  readonly address: string;
  readonly serving: Serving;
  /** Certificates that agents' must come from, PEM. */
  readonly caPem: string;
  readonly service: GuardedAgentService;
  readonly connections?: Partial<ConnectionLimits>;
}

const MAX_MESSAGE = 4 * 1024 * 1024;
const MAX_ENROL_MESSAGE = 256 * 1024; // of strangers
/** A rack of hosts behind one address may join together. */
const OF_STRANGERS: ConnectionLimits = { most: 500, mostOfAddress: 200, patienceMs: 10_000 };
/** A whole fleet may stand behind one address. */
const OF_AGENTS: ConnectionLimits = { most: 8000, mostOfAddress: 4000, patienceMs: 10_000 };

const KEEPALIVE = { 'grpc.keepalive_time_ms': 25_000, 'grpc.keepalive_timeout_ms': 10_000 };

export async function createEnrolListener(options: EnrolListenerOptions): Promise<Listener> {
  const connections = createConnections({ ...OF_STRANGERS, ...options.connections });
  const server = new Server({
    ...KEEPALIVE,
    interceptors: [holdWhileCalled(connections)],
    'grpc.max_receive_message_length': MAX_ENROL_MESSAGE,
    'grpc.max_concurrent_streams': 4,
    'grpc.max_connection_idle_ms': 10_000,
    'grpc.max_connection_age_ms': 60_000,
    'grpc.max_connection_age_grace_ms': 10_000,
  });
  server.addService(EnrolServiceService, options.service);
  return listenGrpc(server, options.address, grpcCredentials(options.serving), connections);
}

export async function createAgentListener(options: AgentListenerOptions): Promise<Listener> {
  const connections = createConnections({ ...OF_AGENTS, ...options.connections });
  const server = new Server({
    ...KEEPALIVE,
    interceptors: [holdWhileCalled(connections)],
    'grpc.max_receive_message_length': MAX_MESSAGE,
    'grpc.max_send_message_length': MAX_MESSAGE,
    'grpc.max_concurrent_streams': 8,
  });
  server.addService(AgentServiceService, options.service);
  return listenGrpc(server, options.address, grpcCredentials(options.serving, options.caPem), connections);
}
