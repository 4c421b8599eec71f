// One order on its way to an agent: what is known of it, and its one end.
import type { AegirError } from '../../shared/error.ts';
import { type Action, ActionEvent } from '../../shared/gen/aegir/v1/agent.ts';
import type { ActionOrder, Delivered, PerformOptions } from './agents.ts';

export interface PendingOrder {
  readonly order: ActionOrder;
  readonly promise: Promise<Delivered>;
  /** How often this master sent it. */
  sends: number;
  /** The agent said at Hello that it has begun it. */
  begun: boolean;
  /** Asked to stop; the answer, or nothing for a while, ends it. */
  cancelling: NodeJS.Timeout | undefined;
  expiry: NodeJS.Timeout | undefined;
  readonly done: boolean;
  /** Tells the event unless it was told before. */
  event(bootId: string, event: ActionEvent): void;
  waiting(): void;
  resolve(delivered: Delivered): void;
  reject(error: AegirError): void;
  action(): Action;
}

/** Most that one action may say while it works: it is kept. A long installation says some hundred lines. */
const MAX_EVENTS = 5_000;
const MAX_EVENT_BYTES = 2 * 1024 * 1024;

export function createPendingOrder(order: ActionOrder, options: PerformOptions): PendingOrder {
  const { promise, resolve, reject } = Promise.withResolvers<Delivered>();
  let done = false;
  let boot = '';
  let lastSeq = 0n;
  let events = 0;
  let bytes = 0;
  const end = (pending: PendingOrder): void => {
    done = true;
    clearTimeout(pending.cancelling);
    clearTimeout(pending.expiry);
  };
  return {
    order,
    promise,
    sends: 0,
    begun: false,
    cancelling: undefined,
    expiry: undefined,
    get done() {
      return done;
    },
    event(bootId, event) {
      // A new session repeats the last events of the one before.
      if (bootId !== boot) [boot, lastSeq] = [bootId, 0n];
      if (event.seq <= lastSeq) return;
      lastSeq = event.seq;
      if (events > MAX_EVENTS || bytes > MAX_EVENT_BYTES) return;
      events += 1;
      bytes += ActionEvent.encode(event).finish().length;
      const full = events > MAX_EVENTS || bytes > MAX_EVENT_BYTES;
      const text = 'the agent says more than is kept of one action: the rest is left out';
      options.onEvent(full ? { ...event, body: { $case: 'log', value: { level: 'warn', text } } } : event);
    },
    waiting: () => options.onWaiting(),
    resolve(delivered) {
      end(this);
      resolve(delivered);
    },
    reject(error) {
      end(this);
      reject(error);
    },
    action() {
      return {
        id: order.id,
        attempt: order.attempt + this.sends - 1,
        generation: BigInt(order.generation),
        resource: order.resource,
        expiresAt: new Date(order.expiresAt),
        taskId: order.taskId,
        step: order.step,
        urgent: order.urgent,
        request: order.request,
      };
    },
  };
}
