// The sending half of one session: in order, never more in memory than the stream takes and a bounded queue.
import type { MasterMessage } from '../../shared/gen/aegir/v1/agent.ts';
import type { AgentStream } from './guard.ts';

export interface Outbox {
  /** False when too much waits already: the agent does not read. */
  send(body: NonNullable<MasterMessage['body']>): boolean;
  /** What waits is dropped. */
  close(): void;
}

export interface OutboxOptions {
  /** Most messages that wait for the stream to drain. */
  readonly max: number;
  readonly stallMs: number;
  /** Nothing drained for stallMs. */
  readonly onStall: () => void;
}

export function createOutbox(call: Pick<AgentStream, 'write' | 'on' | 'off'>, options: OutboxOptions): Outbox {
  const waiting: MasterMessage[] = [];
  let blocked = false;
  let closed = false;
  let stall: NodeJS.Timeout | undefined;

  const pump = (): void => {
    while (!blocked && !closed) {
      const message = waiting.shift();
      if (message === undefined) return;
      blocked = !call.write(message);
      if (blocked) stall = setTimeout(options.onStall, options.stallMs);
    }
  };
  const onDrain = (): void => {
    clearTimeout(stall);
    blocked = false;
    pump();
  };
  call.on('drain', onDrain);

  return {
    send(body) {
      if (closed || waiting.length >= options.max) return false;
      waiting.push({ body });
      pump();
      return true;
    },
    close() {
      closed = true;
      waiting.length = 0;
      clearTimeout(stall);
      call.off('drain', onDrain);
    },
  };
}
