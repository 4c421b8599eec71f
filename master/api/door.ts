// Who stands at the door of the Admin API: a caller without a valid token is sent away by the headers alone, before a
// byte of its message is read; whoever comes in says its request within a while. Rights are judged later (grpc.ts).
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  status as STATUS,
} from '@grpc/grpc-js';
import { ERROR_CODES, toAegirError } from '../../shared/error.ts';
import { createPlaces, type PlaceLimits } from '../listen/places.ts';

export interface DoorOptions {
  /** Told of each who was sent away. peer: address:port. */
  denied(peer: string, path: string, code: string): void;
  /** Told of each who has a token. */
  known?(peer: string): void;
  /** Throws for a token that is none. */
  authorise(token: string): Promise<unknown>;
  /** Prefixes of paths that need no token, such as /grpc.health.v1. */
  readonly open: readonly string[];
  /** Of those: each kind has places of its own, so that streams, which stay, hold off nobody who only asks. */
  readonly strangers: {
    readonly calls: PlaceLimits;
    /** How long the request of a call may take to arrive, ms. */
    readonly callMs: number;
    readonly streams: PlaceLimits;
    /** A stream is ended after so long, ms. */
    readonly streamMs: number;
  };
  /** How long a request may take to arrive, ms. */
  readonly requestMs: number;
}

export function tokenOf(metadata: Metadata): string {
  const [header] = metadata.get('authorization');
  return typeof header === 'string' && header.startsWith('Bearer ') ? header.slice('Bearer '.length) : '';
}

export function createDoor({ authorise, denied, known, open, strangers, requestMs }: DoorOptions): ServerInterceptor {
  const calls = createPlaces(strangers.calls);
  const streams = createPlaces(strangers.streams);
  return (method, call) => {
    let arriving: NodeJS.Timeout | undefined;
    let ending: NodeJS.Timeout | undefined;
    let left = (): void => {};
    let refused = false;
    const over = (): void => {
      clearTimeout(arriving);
      clearTimeout(ending);
      left();
    };
    const refuse = (code: number, details: string): void => {
      if (refused) return;
      refused = true;
      over();
      call.sendStatus({ code, details });
    };
    const letIn = (withinMs: number, go: () => void): void => {
      arriving = setTimeout(
        () =>
          refuse(STATUS.DEADLINE_EXCEEDED, `cannot read the request: it did not arrive within ${withinMs / 1000} s`),
        withinMs,
      );
      go();
    };
    const letStrangerIn = (go: () => void): void => {
      const stays = method.requestStream || method.responseStream;
      const place = (stays ? streams : calls).take(call.getPeer());
      if (place === undefined) {
        refuse(STATUS.RESOURCE_EXHAUSTED, 'cannot answer: too many ask at once');
        return;
      }
      left = place;
      if (!stays) {
        letIn(strangers.callMs, go);
        return;
      }
      const { streamMs } = strangers;
      ending = setTimeout(
        () =>
          refuse(STATUS.DEADLINE_EXCEEDED, `cannot go on: without a token a stream ends after ${streamMs / 1000} s`),
        streamMs,
      );
      go();
    };
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        if (open.some((prefix) => method.path.startsWith(prefix))) return letStrangerIn(() => next(metadata));
        authorise(tokenOf(metadata)).then(
          () => {
            known?.(call.getPeer());
            letIn(requestMs, () => next(metadata));
          },
          (thrown: unknown) => {
            const error = toAegirError(thrown, 'authorise the call');
            if (error.code === 'unauthenticated') denied(call.getPeer(), method.path, error.code);
            refuse(ERROR_CODES[error.code], error.message);
          },
        );
      })
      .withOnReceiveHalfClose((next) => {
        clearTimeout(arriving);
        if (!refused) next();
      })
      .withOnCancel(over)
      .build();
    return new ServerInterceptingCall(call, {
      start: (next) => next(listener),
      sendStatus: (told, next) => {
        over();
        if (!refused) next(told);
      },
    });
  };
}
