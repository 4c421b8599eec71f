// The connection to a master: one channel, TLS under the context's CA, the token on every call, errors as AegirError.
import type { PeerCertificate } from 'node:tls';
import {
  type CallOptions,
  Client,
  type ClientReadableStream,
  credentials,
  status as grpcStatus,
  Metadata,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { AegirError, ERROR_CODES, isErrorCode } from '../../shared/error.ts';
import { MASTER_IDENTITY } from '../../shared/identity.ts';
import type { Context } from './context.ts';

export interface Connection {
  readonly address: string;
  call<I, O>(method: MethodDefinition<I, O>, request: I): Promise<O>;
  /** Ends with the stream; leaving the loop cancels the call. */
  stream<I, O>(method: MethodDefinition<I, O>, request: I): AsyncIterable<O>;
  close(): void;
}

// Detecting services and engine previews take their time; more than this is a hang.
const CALL_TIMEOUT_MS = 120_000;
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

export function createConnection(context: Context): Connection {
  const trust = credentials.createSsl(Buffer.from(context.ca), null, null, { checkServerIdentity: isMaster });
  const client = new Client(context.address, trust, {
    // Masters are known by their URI under the context's own authority, at whatever name or address they are reached;
    // and an IP address is no server name in TLS (RFC 6066).
    'grpc.ssl_target_name_override': 'master.aegir.internal',
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    // A master that restarts is back within seconds.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 5000,
    'grpc.keepalive_time_ms': 25_000,
    'grpc.keepalive_timeout_ms': 10_000,
  });
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${context.token}`);
  return {
    address: context.address,
    call: (method, request) =>
      new Promise((resolve, reject) => {
        const options: CallOptions = { deadline: Date.now() + CALL_TIMEOUT_MS };
        client.makeUnaryRequest(
          method.path,
          method.requestSerialize,
          method.responseDeserialize,
          request,
          metadata,
          options,
          (error, response) => {
            if (error !== null || response === undefined) reject(fromWire(context.address, error));
            else resolve(response);
          },
        );
      }),
    async *stream<I, O>(method: MethodDefinition<I, O>, request: I): AsyncIterable<O> {
      const call: ClientReadableStream<O> = client.makeServerStreamRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        metadata,
      );
      try {
        for await (const message of call) yield message as O;
      } catch (thrown) {
        throw fromWire(context.address, thrown as ServiceError);
      } finally {
        call.cancel();
      }
    },
    close: () => client.close(),
  };
}

function isMaster(_host: string, certificate: PeerCertificate): Error | undefined {
  const names = (certificate.subjectaltname ?? '').split(', ');
  return names.includes(`URI:${MASTER_IDENTITY}`) ? undefined : new Error('its certificate is not that of a master');
}

/** Without what gRPC wraps around the cause. */
function plainly(details: string): string {
  return /Last error: (?:Error: )?(.*?)\. Resolution note:/.exec(details)?.[1] ?? details;
}

function fromWire(address: string, error: ServiceError | null): AegirError {
  if (error === null) return new AegirError('internal', 'cannot read the answer: it is empty');
  const name = Object.keys(ERROR_CODES).find((code) => isErrorCode(code) && ERROR_CODES[code] === error.code);
  const code = name !== undefined && isErrorCode(name) ? name : 'unknown';
  const ours = error.details.startsWith('cannot ');
  if (ours) return new AegirError(code, error.details, { cause: error });
  if (error.code === grpcStatus.UNAVAILABLE) {
    return new AegirError(
      'unavailable',
      `cannot reach the master at ${address}: ${plainly(error.details)}; does it run, and is the address right?`,
      { cause: error },
    );
  }
  return new AegirError(code, `cannot complete the call to ${address}: ${error.details || error.message}`, {
    cause: error,
  });
}
