// A master for tests: the AgentService and the EnrolService on a loopback port, driven by the test.
import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import {
  type AgentMessage,
  AgentServiceService,
  type EnrolRequest,
  type EnrolResponse,
  EnrolServiceService,
  type MasterMessage,
  type RecoverRequest,
  type RecoverResponse,
  type RenewRequest,
  type RenewResponse,
} from '../../shared/gen/aegir/v1/agent.ts';
import type { Pair, TestAuthority } from './authority.ts';

type Body<T extends { body?: { $case: string } | undefined }> = NonNullable<T['body']>;

/** One agent's stream. Everything received is kept; waits look at what came before too. */
export interface TestStream {
  readonly received: Body<AgentMessage>[];
  send(body: Body<MasterMessage>): void;
  /** The nth (from 1) message of a kind. */
  waitFor<K extends Body<AgentMessage>['$case']>(
    kind: K,
    nth?: number,
  ): Promise<Extract<Body<AgentMessage>, { $case: K }>>;
  end(): void;
  fail(code: number, details: string): void;
  readonly ended: Promise<void>;
}

export interface TestMaster {
  readonly port: number;
  readonly address: string;
  /** The nth stream (from 1), once it is there. */
  stream(nth: number): Promise<TestStream>;
  readonly streams: readonly TestStream[];
  stop(): Promise<void>;
}

export interface TestMasterOptions {
  readonly authority: TestAuthority;
  readonly pair?: Pair;
  readonly port?: number;
  readonly onRenew?: (request: RenewRequest) => RenewResponse;
  readonly onEnrol?: (request: EnrolRequest) => EnrolResponse;
  readonly onRecover?: (request: RecoverRequest) => RecoverResponse;
  /** Answers Hello by itself; default true. */
  readonly welcome?: boolean;
}

export async function startMaster(options: TestMasterOptions): Promise<TestMaster> {
  const pair = options.pair ?? options.authority.issue('aegir://master');
  const server = new Server();
  const streams: TestStream[] = [];
  const waiters: (() => void)[] = [];
  const enrols = options.onEnrol !== undefined || options.onRecover !== undefined;
  const service = {
    session(call: ServerDuplexStream<AgentMessage, MasterMessage>) {
      streams.push(createTestStream(call, options.welcome ?? true));
      for (const wake of waiters.splice(0)) wake();
    },
    renew: unary(options.onRenew),
  };
  if (enrols)
    server.addService(EnrolServiceService, { enrol: unary(options.onEnrol), recover: unary(options.onRecover) });
  else server.addService(AgentServiceService, service);
  const ca = Buffer.from(options.authority.caPem);
  const keys = [
    {
      private_key: Buffer.from(pair.keyPem),
      // The chain holds the authority, so that a joining agent can compare its pin.
      cert_chain: Buffer.from(pair.certificatePem + options.authority.caPem),
    },
  ];
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = ServerCredentials.createSsl(ca, keys, !enrols);
    server.bindAsync(`127.0.0.1:${options.port ?? 0}`, credentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    port,
    address: `127.0.0.1:${port}`,
    streams,
    async stream(nth) {
      for (;;) {
        const found = streams[nth - 1];
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => waiters.push(resolve));
      }
    },
    async stop() {
      server.forceShutdown();
    },
  };
}

type Callback<T> = (error: { code: number; details: string } | null, value?: T) => void;

function unary<Q, A>(answer: ((request: Q) => A) | undefined) {
  return (call: { request: Q }, callback: Callback<A>) => {
    try {
      if (answer === undefined) throw Object.assign(new Error('not here'), { code: status.UNIMPLEMENTED });
      callback(null, answer(call.request));
    } catch (error) {
      const code = (error as { code?: number }).code ?? status.INTERNAL;
      callback({ code, details: (error as Error).message });
    }
  };
}

function createTestStream(call: ServerDuplexStream<AgentMessage, MasterMessage>, welcome: boolean): TestStream {
  const received: Body<AgentMessage>[] = [];
  let waiters: (() => void)[] = [];
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  call.on('data', (message: AgentMessage) => {
    if (message.body === undefined) return;
    received.push(message.body);
    if (welcome && message.body.$case === 'hello') {
      call.write({
        body: {
          $case: 'welcome',
          value: {
            serverState: 'accepted',
            serverName: 'web1',
            heartbeatSeconds: 1,
            inventorySeconds: 600,
            masters: [],
            enrolAddresses: [],
          },
        },
      });
    }
    for (const wake of waiters.splice(0)) wake();
  });
  call.on('end', () => {
    call.end();
    end();
  });
  call.on('cancelled', () => end());
  call.on('error', () => end());
  return {
    received,
    ended,
    send: (body) => void call.write({ body }),
    async waitFor(kind, nth = 1) {
      for (;;) {
        const found = received.filter((body) => body.$case === kind)[nth - 1];
        if (found !== undefined) return found as never;
        await new Promise<void>((resolve) => {
          waiters = [...waiters, resolve];
        });
      }
    },
    end: () => call.end(),
    fail: (code, details) => void call.emit('error', { code, details }),
  };
}
