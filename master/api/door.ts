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

export interface DoorOptions {
  /** Told of each who was sent away. peer: address:port. */
  denied(peer: string, path: string, code: string): void;
  /** Told of each who has a token. */
  known?(peer: string): void;
  /** Throws for a token that is none. */
  authorise(token: string): Promise<unknown>;
  /** Prefixes of paths that need no token, such as /grpc.health.v1. */
  readonly open: readonly string[];
  /** Most calls without a token at a time. */
  readonly openCalls: number;
  /** How long a request may take to arrive, ms. */
  readonly requestMs: number;
}

export function tokenOf(metadata: Metadata): string {
  const [header] = metadata.get('authorization');
  return typeof header === 'string' && header.startsWith('Bearer ') ? header.slice('Bearer '.length) : '';
}

export function createDoor({ authorise, denied, known, open, openCalls, requestMs }: DoorOptions): ServerInterceptor {
  let strangers = 0;
  return (method, call) => {
    let arriving: NodeJS.Timeout | undefined;
    let left = (): void => {};
    let refused = false;
    const refuse = (code: number, details: string): void => {
      if (refused) return;
      refused = true;
      clearTimeout(arriving);
      left();
      call.sendStatus({ code, details });
    };
    const letIn = (go: () => void): void => {
      arriving = setTimeout(
        () =>
          refuse(STATUS.DEADLINE_EXCEEDED, `cannot read the request: it did not arrive within ${requestMs / 1000} s`),
        requestMs,
      );
      go();
    };
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        if (open.some((prefix) => method.path.startsWith(prefix))) {
          if (strangers >= openCalls) return refuse(STATUS.RESOURCE_EXHAUSTED, 'cannot answer: too many ask at once');
          strangers += 1;
          left = () => {
            left = () => {};
            strangers -= 1;
          };
          return letIn(() => next(metadata));
        }
        authorise(tokenOf(metadata)).then(
          () => {
            known?.(call.getPeer());
            letIn(() => next(metadata));
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
      .withOnCancel(() => {
        clearTimeout(arriving);
        left();
      })
      .build();
    return new ServerInterceptingCall(call, {
      start: (next) => next(listener),
      sendStatus: (told, next) => {
        clearTimeout(arriving);
        left();
        if (!refused) next(told);
      },
    });
  };
}
