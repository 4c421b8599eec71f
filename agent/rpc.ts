// gRPC as the agent uses it: channels to masters under our own authority, and errors as AegirError.
import { type ChannelCredentials, type ClientOptions, credentials, type ServiceError } from '@grpc/grpc-js';
import { AegirError, ERROR_CODES, type ErrorCode } from '../shared/error.ts';
import type { AgentIdentity } from './identity.ts';
import { checkMasterIdentity } from './peer.ts';

export const MAX_MESSAGE = 4 * 1024 * 1024;

export const CHANNEL_OPTIONS: Partial<ClientOptions> = {
  'grpc.keepalive_time_ms': 25_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.keepalive_permit_without_calls': 0,
  'grpc.max_receive_message_length': MAX_MESSAGE,
  'grpc.max_send_message_length': MAX_MESSAGE,
  // Masters are named by URI SAN, not by host; and an IP address is no server name in TLS (RFC 6066).
  'grpc.ssl_target_name_override': 'master.aegir.internal',
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
};

/** Trusts only these authorities, and of theirs only masters. */
export function masterCredentials(caPem: string, own?: AgentIdentity): ChannelCredentials {
  return credentials.createSsl(
    Buffer.from(caPem),
    own === undefined ? null : Buffer.from(own.keyPem),
    own === undefined ? null : Buffer.from(own.certificatePem),
    { checkServerIdentity: checkMasterIdentity },
  );
}

/** What a call failed with. The details of a master are meant for people. */
export function fromServiceError(error: ServiceError, doing: string): AegirError {
  const code = (Object.keys(ERROR_CODES) as ErrorCode[]).find((name) => ERROR_CODES[name] === error.code);
  const why = error.details || error.message;
  const said = why.startsWith(`cannot ${doing}: `);
  return new AegirError(code ?? 'unknown', said ? why : `cannot ${doing}: ${why}`, { cause: error });
}

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && typeof (error as Partial<ServiceError>).code === 'number';
}
