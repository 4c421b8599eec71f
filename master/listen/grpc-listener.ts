// A gRPC server behind a listener of ours, which bounds its connections: gRPC's own takes whoever comes, and waits for
// two minutes until they shake hands.
import { type AddressInfo, createServer, type Socket } from 'node:net';
import {
  type Server,
  type ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
} from '@grpc/grpc-js';
import { AegirError } from '../../shared/error.ts';
import type { Connections } from './connections.ts';

export interface Listener {
  readonly port: number;
  /** Ends calls within two seconds, then cuts them. */
  close(): Promise<void>;
}

const CLOSE_GRACE_MS = 2000;

/** First among a server's interceptors: a connection with a call on it is not silent. */
export function holdWhileCalled(connections: Connections): ServerInterceptor {
  return (_, call) => {
    const release = connections.hold(call.getPeer());
    const listener = new ServerListenerBuilder().withOnCancel(release).build();
    return new ServerInterceptingCall(call, {
      start: (next) => next(listener),
      sendStatus: (status, next) => {
        release();
        next(status);
      },
    });
  };
}

/** address: host:port; port 0 for any. */
export async function listenGrpc(
  server: Server,
  address: string,
  credentials: ServerCredentials,
  connections: Connections,
): Promise<Listener> {
  const injector = server.createConnectionInjector(credentials);
  const listener = createServer({ noDelay: true }, (socket: Socket) => {
    if (connections.admit(socket)) injector.injectConnection(socket);
  });
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  const port = await new Promise<number>((resolve, reject) => {
    listener.once('error', (cause) => {
      const why = `cannot listen on ${address}: ${cause.message}; is another master running?`;
      reject(new AegirError('failed_precondition', why, { cause }));
    });
    listener.listen(Number(address.slice(at + 1)), host, () => resolve((listener.address() as AddressInfo).port));
  });
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        const force = setTimeout(() => {
          server.forceShutdown();
          connections.close();
        }, CLOSE_GRACE_MS);
        let left = 2;
        const done = () => {
          left -= 1;
          if (left > 0) return;
          clearTimeout(force);
          resolve();
        };
        connections.endSilent();
        listener.close(done);
        server.tryShutdown(done);
      }),
  };
}
