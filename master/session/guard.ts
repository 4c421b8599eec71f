// Deny by default for AgentService: the listener takes only what guardAgentService made, and that identifies the
// caller before any handler runs. A method without a handler, or a handler without the guard, cannot be served.
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  ServerDuplexStream,
  ServerUnaryCall,
  sendUnaryData,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { AegirError } from '../../shared/error.ts';
import {
  type AgentMessage,
  AgentServiceService,
  type MasterMessage,
  type RenewRequest,
  type RenewResponse,
} from '../../shared/gen/aegir/v1/agent.ts';
import type { UploadPiece, UploadTaken } from '../../shared/gen/aegir/v1/backup.ts';
import { identifyPeer, type Peer, type PeerDeps } from '../ca/peer.ts';
import { type SessionLog, statusOf } from './status.ts';
import type { UploadCall } from './uploads.ts';

export type AgentStream = ServerDuplexStream<AgentMessage, MasterMessage>;

/** One handler per method; each gets the caller as it was proved. */
export interface AgentHandlers extends Record<keyof AgentServiceService, unknown> {
  /** Ends the stream itself; a rejection ends it with that error. */
  session(peer: Peer, call: AgentStream): Promise<void>;
  renew(peer: Peer, request: RenewRequest): Promise<RenewResponse>;
  /** Reads the call to its end, or rejects. */
  upload(peer: Peer, call: UploadCall): Promise<UploadTaken>;
}

declare const guarded: unique symbol;
export type GuardedAgentService = UntypedServiceImplementation & { readonly [guarded]: true };

export interface GuardDeps extends PeerDeps {
  /** Told of each who was refused; in bounds. peer: address:port. */
  denied?(peer: string, path: string, code: string): void;
  readonly log: SessionLog;
}

export function guardAgentService(deps: GuardDeps, handlers: AgentHandlers): GuardedAgentService {
  const implementation: UntypedServiceImplementation = {};
  for (const [name, definition] of Object.entries(AgentServiceService)) {
    const handler = handlers[name as keyof AgentServiceService];
    if (typeof handler !== 'function' || (definition.responseStream && !definition.requestStream)) {
      throw new AegirError('internal', `cannot serve ${definition.path}: it has no handler of its kind`);
    }
    if (definition.requestStream && !definition.responseStream) {
      implementation[name] = guardUpload(deps, definition.path, handler as AgentHandlers['upload']);
      continue;
    }
    implementation[name] = definition.responseStream
      ? guardStream(deps, definition.path, handler as AgentHandlers['session'])
      : guardUnary(deps, definition.path, handler as (peer: Peer, request: unknown) => Promise<unknown>);
  }
  return implementation as GuardedAgentService;
}

async function identify(
  deps: GuardDeps,
  path: string,
  call: Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext' | 'getPeer'>,
): Promise<Peer> {
  try {
    return await identifyPeer(deps, call);
  } catch (thrown) {
    const code = thrown instanceof AegirError ? thrown.code : '';
    if (code === 'unauthenticated' || code === 'permission_denied') deps.denied?.(call.getPeer(), path, code);
    throw thrown;
  }
}

function guardUnary(deps: GuardDeps, path: string, handler: (peer: Peer, request: unknown) => Promise<unknown>) {
  return (call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>): void => {
    identify(deps, path, call)
      .then((peer) => handler(peer, call.request))
      .then(
        (response) => answer(null, response),
        (thrown: unknown) => answer(statusOf(deps.log, path, thrown)),
      );
  };
}

function guardUpload(
  deps: GuardDeps,
  path: string,
  handler: AgentHandlers['upload'],
): handleClientStreamingCall<UploadPiece, UploadTaken> {
  return (call, answer) => {
    identify(deps, path, call)
      .then((peer) => handler(peer, call))
      .then(
        (taken) => answer(null, taken),
        (thrown: unknown) => {
          if (!call.cancelled) answer(statusOf(deps.log, path, thrown));
        },
      );
  };
}

function guardStream(
  deps: GuardDeps,
  path: string,
  handler: AgentHandlers['session'],
): handleBidiStreamingCall<AgentMessage, MasterMessage> {
  return (call) => {
    identify(deps, path, call)
      .then((peer) => handler(peer, call))
      .catch((thrown: unknown) => {
        if (!call.cancelled) call.emit('error', statusOf(deps.log, path, thrown));
      });
  };
}
