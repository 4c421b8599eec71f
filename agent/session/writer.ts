// The sending half of one session. Never more in memory than the stream takes: when write() says stop, everything waits
// for drain, and of heartbeats and inventories only the newest waits.
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Failpoint } from '../../shared/failpoint.ts';
import type { AgentMessage, MasterMessage } from '../../shared/gen/aegir/v1/agent.ts';
import type { Upstream, UpstreamItem } from '../upstream.ts';

type Body = NonNullable<AgentMessage['body']>;
export type ControlBody = Extract<Body, { $case: 'hello' | 'heartbeat' | 'inventory' | 'mesh' | 'siteReports' }>;
export type SessionCall = Pick<ClientDuplexStream<AgentMessage, MasterMessage>, 'write' | 'on'>;

export interface Writer {
  /** Goes before events and results; replaces one of its kind that still waits (of reports there never is). */
  control(body: ControlBody): void;
  /** From now on events and results go up. */
  open(): void;
  close(): void;
}

export function createWriter(call: SessionCall, upstream: Upstream, failpoint: Failpoint): Writer {
  const controls = new Map<ControlBody['$case'], ControlBody>();
  let blocked = false;
  let closed = false;
  let opened = false;

  const next = (): { body: Body; sent?: () => void } | undefined => {
    for (const [kind, body] of controls) {
      controls.delete(kind);
      return { body };
    }
    const item = opened ? upstream.take() : undefined;
    return item === undefined ? undefined : fromUpstream(item, failpoint);
  };
  const pump = () => {
    while (!blocked && !closed) {
      const message = next();
      if (message === undefined) return;
      blocked = !call.write({ body: message.body }, message.sent);
    }
  };
  call.on('drain', () => {
    blocked = false;
    pump();
  });

  return {
    control(body) {
      controls.set(body.$case, body);
      pump();
    },
    open() {
      opened = true;
      upstream.rewind();
      upstream.onReady(pump);
    },
    close() {
      closed = true;
      if (opened) upstream.onReady(() => {});
    },
  };
}

function fromUpstream(item: UpstreamItem, failpoint: Failpoint): { body: Body; sent?: () => void } {
  if (item.kind === 'event') return { body: { $case: 'event', value: item.event } };
  const name = item.label === '' ? 'agent.result.sent' : `agent.result.sent:${item.label}`;
  return { body: { $case: 'result', value: item.result }, sent: () => failpoint(name) };
}
