// Sends to the master what it waits for: over a connection of its own beside the session's, with the same certificate, and
// no faster than the master takes it.
import type { ClientWritableStream } from '@grpc/grpc-js';
import { AegirError } from '../../shared/error.ts';
import { AgentServiceClient } from '../../shared/gen/aegir/v1/agent.ts';
import type { UploadPiece } from '../../shared/gen/aegir/v1/backup.ts';
import type { AgentIdentity } from '../identity.ts';
import { CHANNEL_OPTIONS, fromServiceError, isServiceError, masterCredentials } from '../rpc.ts';

export interface Uplink {
  /** Where orders come from now. */
  use(address: string, identity: AgentIdentity): void;
  /** Sends it all under the name that the master gave. Throws AegirError, also when the master does not want it any more. */
  send(uploadId: string, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
}

const PIECE = 256 * 1024;

export function createUplink(): Uplink {
  let master: { readonly address: string; readonly identity: AgentIdentity } | undefined;
  return {
    use(address, identity) {
      master = { address, identity };
    },
    async send(uploadId, content, signal) {
      if (master === undefined) {
        throw new AegirError('unavailable', 'cannot send to the master: none has welcomed this agent yet');
      }
      const { address, identity } = master;
      const client = new AgentServiceClient(address, masterCredentials(identity.caPem, identity), CHANNEL_OPTIONS);
      try {
        await upload(client, uploadId, content, signal);
      } finally {
        client.close();
      }
    },
  };
}

async function upload(
  client: AgentServiceClient,
  uploadId: string,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const taken = Promise.withResolvers<void>();
  const call = client.upload((error) => {
    over.abort();
    if (error === null) taken.resolve();
    else taken.reject(isServiceError(error) ? fromServiceError(error, 'send to the master') : error);
  });
  // It is told by the answer.
  call.on('error', () => {});
  taken.promise.catch(() => {});
  const cancel = () => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    let name = uploadId;
    const give = async (bytes: Uint8Array, last: boolean) => {
      if (over.signal.aborted) return;
      const more = call.write({ uploadId: name, bytes: Buffer.from(bytes), last });
      name = '';
      if (!more) await drained(call, over.signal);
    };
    for await (const bytes of content) {
      for (let at = 0; at < bytes.length; at += PIECE) await give(bytes.subarray(at, at + PIECE), false);
      if (over.signal.aborted || signal.aborted) break;
    }
    if (!over.signal.aborted && !signal.aborted) {
      await give(new Uint8Array(0), true);
      call.end();
    }
    await taken.promise;
  } catch (thrown) {
    call.cancel();
    signal.throwIfAborted();
    throw thrown;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

function drained(call: ClientWritableStream<UploadPiece>, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done);
      over.removeEventListener('abort', done);
      resolve();
    };
    call.once('drain', done);
    over.addEventListener('abort', done, { once: true });
    if (over.aborted) done();
  });
}
