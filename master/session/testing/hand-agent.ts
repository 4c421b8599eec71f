// An agent made by hand for tests: it says what the test tells it to say and keeps all it hears.
import { type ChannelCredentials, type ClientDuplexStream, credentials, type StatusObject } from '@grpc/grpc-js';
import {
  type ActionResult,
  type AgentMessage,
  AgentServiceClient,
  type DetectedService,
  Inventory,
  type MasterMessage,
} from '../../../shared/gen/aegir/v1/agent.ts';
import { MASTER_IDENTITY } from '../../../shared/identity.ts';
import { facts, type Identity, type Rig } from './rig.ts';

type Said = NonNullable<AgentMessage['body']>;
type Heard = NonNullable<MasterMessage['body']>;
type HeardOf<C extends Heard['$case']> = Extract<Heard, { $case: C }>['value'];

export interface HandAgent {
  readonly client: AgentServiceClient;
  readonly stream: ClientDuplexStream<AgentMessage, MasterMessage>;
  /** All so far, in order. */
  readonly heard: readonly Heard[];
  readonly status: Promise<StatusObject>;
  say(body: Said): void;
  hello(options?: HelloOptions): Promise<HeardOf<'welcome'>>;
  /** The next message of a kind, not asked for before; others stay for their own turn. */
  hear<C extends Heard['$case']>($case: C): Promise<HeardOf<C>>;
  /** Messages of a kind that nobody asked for yet. */
  unheard($case: Heard['$case']): number;
  ok(actionId: string, result?: Partial<ActionResult>): void;
  close(): void;
}

export interface HelloOptions {
  readonly protocol?: number;
  readonly bootId?: string;
  readonly openActions?: string[];
  readonly meshKey?: string;
  readonly highestGeneration?: bigint;
  readonly services?: readonly DetectedService[];
}

const PATIENCE_MS = 5_000;

export function inventory(services: readonly DetectedService[] = []): Inventory {
  return { ...Inventory.fromPartial({}), facts: facts(), services: [...services], takenAt: new Date() };
}

/** Node takes no IP address as TLS server name (RFC 6066); masters are known by their URI SAN. */
export const CHANNEL = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.ssl_target_name_override': 'master.aegir.internal',
};

export function trust(rig: Rig, shown?: Pick<Identity, 'keyPem' | 'certificatePem'>): ChannelCredentials {
  return credentials.createSsl(
    Buffer.from(rig.authority.caPem),
    shown === undefined ? null : Buffer.from(shown.keyPem),
    shown === undefined ? null : Buffer.from(shown.certificatePem),
    {
      checkServerIdentity: (_, { subjectaltname = '' }) =>
        subjectaltname.split(', ').includes(`URI:${MASTER_IDENTITY}`) ? undefined : new Error('it is no master'),
    },
  );
}

export function clientOf(rig: Rig, identity: Identity): AgentServiceClient {
  return new AgentServiceClient(`127.0.0.1:${rig.agents.port}`, trust(rig, identity), CHANNEL);
}

export function dial(rig: Rig, identity: Identity): HandAgent {
  const client = clientOf(rig, identity);
  const stream = client.session();
  const heard: Heard[] = [];
  const waiting: Heard[] = [];
  let onMore = () => {};
  const status = new Promise<StatusObject>((resolve) => stream.on('status', resolve));
  stream.on('error', () => {}); // the status tells
  stream.on('data', (message) => {
    if (message.body === undefined) return;
    heard.push(message.body);
    waiting.push(message.body);
    onMore();
  });

  const agent: HandAgent = {
    client,
    stream,
    heard,
    status,
    say: (body) => void stream.write({ body }),
    async hello(options = {}) {
      const { protocol = 1, bootId = 'boot', openActions = [], meshKey = '', services = [] } = options;
      const { highestGeneration = 0n } = options;
      const value = { protocol, bootId, openActions, meshKey, highestGeneration, inventory: inventory(services) };
      agent.say({ $case: 'hello', value });
      return agent.hear('welcome');
    },
    async hear($case) {
      const until = Date.now() + PATIENCE_MS;
      for (;;) {
        const at = waiting.findIndex((body) => body.$case === $case);
        const [found] = at < 0 ? [] : waiting.splice(at, 1);
        if (found !== undefined) return found.value as never;
        const left = until - Date.now();
        if (left <= 0) throw new Error(`heard no ${$case}, only: ${heard.map((body) => body.$case).join(' ')}`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left);
          onMore = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    unheard: ($case) => waiting.filter((body) => body.$case === $case).length,
    ok(actionId, result = {}) {
      const outcome = { $case: 'ok' as const, value: { messages: [], platform: undefined, findings: [], ports: [] } };
      agent.say({ $case: 'result', value: { actionId, changes: [], outcome, ...result } });
    },
    close: () => client.close(),
  };
  return agent;
}
