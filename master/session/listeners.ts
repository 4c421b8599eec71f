// The two listeners for hosts: one where strangers may only join, one where only agents with a certificate get in.
// Certificates are swapped while they listen; streams that are open stay open.
import { Server, type ServerCredentials } from '@grpc/grpc-js';
import { AegirError } from '../../shared/error.ts';
import { AgentServiceService, type EnrolServiceServer, EnrolServiceService } from '../../shared/gen/aegir/v1/agent.ts';
import { grpcCredentials } from '../ca/grpc-credentials.ts';
import type { Serving } from '../ca/serving.ts';
import type { GuardedAgentService } from './guard.ts';

export interface Listener {
  readonly port: number;
  /** Ends calls within two seconds, then cuts them. */
  close(): Promise<void>;
}

export interface EnrolListenerOptions {
  /** host:port; port 0 for any. */
  readonly address: string;
  readonly serving: Serving;
  readonly service: EnrolServiceServer;
}

export interface AgentListenerOptions {
  readonly address: string;
  readonly serving: Serving;
  /** Certificates that agents' must come from, PEM. */
  readonly caPem: string;
  readonly service: GuardedAgentService;
}

const MAX_MESSAGE = 4 * 1024 * 1024;
const MAX_ENROL_MESSAGE = 256 * 1024; // of strangers
const CLOSE_GRACE_MS = 2000;

const KEEPALIVE = { 'grpc.keepalive_time_ms': 25_000, 'grpc.keepalive_timeout_ms': 10_000 };

export async function createEnrolListener(options: EnrolListenerOptions): Promise<Listener> {
  const server = new Server({
    ...KEEPALIVE,
    'grpc.max_receive_message_length': MAX_ENROL_MESSAGE,
    'grpc.max_concurrent_streams': 4,
    'grpc.max_connection_idle_ms': 10_000,
    'grpc.max_connection_age_ms': 60_000,
    'grpc.max_connection_age_grace_ms': 10_000,
  });
  server.addService(EnrolServiceService, options.service);
  return listen(server, options.address, grpcCredentials(options.serving));
}

export async function createAgentListener(options: AgentListenerOptions): Promise<Listener> {
  const server = new Server({
    ...KEEPALIVE,
    'grpc.max_receive_message_length': MAX_MESSAGE,
    'grpc.max_send_message_length': MAX_MESSAGE,
    'grpc.max_concurrent_streams': 8,
  });
  server.addService(AgentServiceService, options.service);
  return listen(server, options.address, grpcCredentials(options.serving, options.caPem));
}

async function listen(server: Server, address: string, how: ServerCredentials): Promise<Listener> {
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, how, (error, bound) => {
      if (error === null) resolve(bound);
      else {
        const why = `cannot listen on ${address}: ${error.message}; is another master running?`;
        reject(new AegirError('failed_precondition', why, { cause: error }));
      }
    });
  });
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        const force = setTimeout(() => server.forceShutdown(), CLOSE_GRACE_MS);
        server.tryShutdown(() => {
          clearTimeout(force);
          resolve();
        });
      }),
  };
}
