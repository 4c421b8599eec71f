// Ends an open stream so that the agent hears why, and cuts it when it does not end.
import type { ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import { Metadata } from '@grpc/grpc-js';
import { type AegirError, ERROR_CODES } from '../../shared/error.ts';
import type { AgentStream } from './guard.ts';

export type GoodbyeReason = 'revoked' | 'shutdown' | 'replaced';

/** wholeConnection: the cut takes the connection and everything else on it. */
export function endStream(
  call: AgentStream,
  error: AegirError,
  options: { readonly goodbye?: GoodbyeReason; readonly cutMs: number; readonly wholeConnection: boolean },
): void {
  const stream = transportOf(call);
  if (call.cancelled || call.destroyed) return;
  if (options.goodbye !== undefined) {
    call.write({ body: { $case: 'goodbye', value: { reason: options.goodbye } } });
  }
  // What still comes up is read and dropped, so that the agent's end is seen.
  call.resume();
  // destroy() would tell the agent nothing; the emitted error becomes the stream's status.
  call.emit('error', {
    code: ERROR_CODES[error.code],
    details: error.message,
    message: error.message,
    name: 'Error',
    metadata: new Metadata(),
  });
  // An agent that does not read never takes the status.
  const cut = setTimeout(() => {
    call.destroy();
    if (stream === undefined) return;
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    if (options.wholeConnection) stream.session?.destroy();
  }, options.cutMs);
  cut.unref();
}

/**
 * grpc-js offers no way to reset a stream whose peer does not read: its own ending waits behind what was written. So the
 * HTTP/2 stream is taken from the call, from behind the listener's interceptors; a test fails when an upgrade moves it.
 */
function transportOf(call: AgentStream): ServerHttp2Stream | undefined {
  interface Inner {
    readonly stream?: ServerHttp2Stream;
    readonly nextCall?: Inner;
  }
  let inner = (call as unknown as { readonly call?: Inner }).call;
  while (inner !== undefined && inner.stream === undefined) inner = inner.nextCall;
  return inner?.stream;
}
