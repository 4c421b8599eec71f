// Everything one server's agent is asked to do. It outlives sessions: orders wait here for one, and are sent again on
// each new one until their result came.
import { AegirError } from '../../shared/error.ts';
import { type ActionEvent, ActionResult, type MasterMessage } from '../../shared/gen/aegir/v1/agent.ts';
import { LANES, laneOf } from '../../shared/lane.ts';
import type { ActionOrder, Delivered, PerformOptions } from './agents.ts';
import { boundEvent, boundResult } from './bound-reply.ts';
import { createPendingOrder, type PendingOrder } from './order.ts';

/** An open session of an accepted server. */
export interface Link {
  readonly bootId: string;
  /** Actions that the agent has begun, by its Hello. */
  readonly openActions: ReadonlySet<string>;
  send(body: NonNullable<MasterMessage['body']>): void;
}

export interface Desk {
  perform(order: ActionOrder, options: PerformOptions): Promise<Delivered>;
  attach(link: Link): void;
  detach(link: Link): void;
  event(link: Link, event: ActionEvent): void;
  result(link: Link, result: ActionResult): void;
  /** Ends every order. */
  fail(error: AegirError): void;
}

export interface DeskOptions {
  /** For people. */
  readonly serverName: string;
  /** Most orders that the agent has at a time, in each lane. */
  readonly limit: number;
  readonly cancelMs: number;
  readonly reconnectMs: number;
  now(): number;
  /** Whether nobody will ever ask for the result of this action again. */
  isSettled(actionId: string): Promise<boolean>;
}

const MAX_TIMER_MS = 2 ** 31 - 1; // setTimeout fires at once for more
const MAX_UNCLAIMED = 200;
const MAX_UNCLAIMED_BYTES = 16 * 1024 * 1024;
const MAX_ACKNOWLEDGED = 500;

export function createDesk(options: DeskOptions): Desk {
  const { serverName, now } = options;
  /** In the order they came. */
  const orders = new Map<string, PendingOrder>();
  /** Results that came before anybody asked: of actions that a master before this one had sent. */
  const unclaimed = new Map<string, ActionResult>();
  const sizes = new Map<string, number>();
  const acknowledged = new Set<string>();
  let link: Link | undefined;

  const take = (pending: PendingOrder): void => {
    if (orders.get(pending.order.id) === pending) orders.delete(pending.order.id);
  };
  const cancelled = () => new AegirError('cancelled', `cannot finish the action on ${serverName}: it was cancelled`);

  function pump(): void {
    if (link === undefined) return;
    for (const each of LANES) {
      const lane = [...orders.values()].filter(
        ({ order }) => laneOf({ ...order, inTask: true }, order.request.$case) === each,
      );
      let busy = lane.filter((pending) => pending.sends > 0).length;
      for (const pending of lane) {
        if (busy >= options.limit) break;
        if (pending.sends > 0 || pending.cancelling !== undefined || isLate(pending)) continue;
        busy += 1;
        send(link, pending);
      }
    }
  }

  function send(to: Link, pending: PendingOrder): void {
    pending.sends += 1;
    to.send({ $case: 'action', value: pending.action() });
  }

  /** An order that was never sent ends when it may not start any more; one that was, when its agent stays away. */
  function watch(pending: PendingOrder, from: number): void {
    const sent = pending.sends > 0;
    const deadline = sent ? Math.max(pending.order.expiresAt, from + options.reconnectMs) : pending.order.expiresAt;
    clearTimeout(pending.expiry);
    pending.expiry = setTimeout(
      () => {
        if (pending.done || (pending.sends > 0 && link !== undefined)) return;
        if (now() < deadline || pending.sends > 0 !== sent) return watch(pending, from);
        take(pending);
        const why =
          link === undefined ? 'no accepted agent of it is connected' : 'its agent was busy with other actions';
        pending.reject(
          new AegirError('unavailable', `cannot act on ${serverName}: ${why}; see: aegir server show ${serverName}`),
        );
        pump();
      },
      Math.min(MAX_TIMER_MS, Math.max(0, deadline - now())),
    );
  }

  function isLate(pending: PendingOrder): boolean {
    return now() >= pending.order.expiresAt;
  }

  function cancel(pending: PendingOrder): void {
    if (pending.done || pending.cancelling !== undefined) return;
    if (pending.sends === 0 && !pending.begun) {
      take(pending);
      pending.reject(cancelled());
      return;
    }
    link?.send({ $case: 'cancel', value: { actionId: pending.order.id } });
    pending.cancelling = setTimeout(() => {
      take(pending);
      pending.reject(cancelled());
      pump();
    }, options.cancelMs);
  }

  function abandon(pending: PendingOrder, reason: AegirError): void {
    take(pending);
    pending.reject(reason);
    pump();
  }

  function acknowledge(id: string): void {
    unclaimed.delete(id);
    acknowledged.delete(id);
    acknowledged.add(id);
    trim(acknowledged, MAX_ACKNOWLEDGED);
    link?.send({ $case: 'ack', value: { actionId: id } });
  }

  function deliver(pending: PendingOrder, result: ActionResult): void {
    take(pending);
    pending.resolve({ result, acknowledge: () => acknowledge(result.actionId) });
  }

  function keep(result: ActionResult): void {
    const id = result.actionId;
    unclaimed.delete(id);
    unclaimed.set(id, result);
    sizes.set(id, ActionResult.encode(result).finish().length);
    trim(unclaimed, MAX_UNCLAIMED);
    let bytes = [...unclaimed.keys()].reduce((sum, key) => sum + (sizes.get(key) ?? 0), 0);
    for (const key of unclaimed.keys()) {
      if (bytes <= MAX_UNCLAIMED_BYTES) break;
      // Its agent repeats it at its next session.
      bytes -= sizes.get(key) ?? 0;
      unclaimed.delete(key);
    }
    for (const key of sizes.keys()) if (!unclaimed.has(key)) sizes.delete(key);
    // Otherwise the agent would repeat it at every session for ever.
    options.isSettled(id).then(
      (settled) => {
        if (settled && !orders.has(id)) acknowledge(id);
      },
      () => undefined, // it is asked again when the agent repeats the result
    );
  }

  return {
    perform(order, performOptions) {
      const { signal } = performOptions;
      const pending = createPendingOrder(order, performOptions);
      const before = orders.get(order.id);
      if (before !== undefined) {
        // The same step runs again, under a newer lease: whoever asked before has lost its own.
        pending.sends = before.sends;
        take(before);
        before.reject(new AegirError('aborted', 'cannot wait for the action: it was asked for again'));
      }
      acknowledged.delete(order.id);
      const ready = unclaimed.get(order.id);
      if (ready !== undefined) {
        unclaimed.delete(order.id);
        deliver(pending, ready);
        return pending.promise;
      }
      pending.begun = link?.openActions.has(order.id) ?? false;
      orders.set(order.id, pending);
      const onAbort = (): void => {
        const reason: unknown = signal.reason;
        const lost = reason instanceof AegirError && reason.code !== 'cancelled';
        if (lost) abandon(pending, reason);
        else cancel(pending);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
      pending.promise
        .catch(() => undefined) // the caller sees it
        .finally(() => signal.removeEventListener('abort', onAbort));
      if (pending.done) return pending.promise;
      watch(pending, now());
      if (link === undefined) pending.waiting();
      else if (pending.sends > 0 && pending.cancelling === undefined) send(link, pending);
      pump();
      return pending.promise;
    },

    attach(next) {
      link = next;
      for (const pending of [...orders.values()]) {
        pending.begun = next.openActions.has(pending.order.id);
        if (pending.cancelling !== undefined) next.send({ $case: 'cancel', value: { actionId: pending.order.id } });
        else if (pending.sends > 0) send(next, pending);
      }
      pump();
    },

    detach(gone) {
      if (link !== gone) return;
      link = undefined;
      for (const pending of orders.values()) {
        watch(pending, now());
        pending.waiting();
      }
    },

    event(from, event) {
      if (from !== link) return;
      const bounded = boundEvent(event);
      if (bounded !== undefined) orders.get(event.actionId)?.event(from.bootId, bounded);
    },

    result(from, unbounded) {
      if (from !== link) return;
      const result = boundResult(unbounded);
      const pending = orders.get(result.actionId);
      if (pending === undefined) {
        if (acknowledged.has(result.actionId)) acknowledge(result.actionId);
        else keep(result);
        return;
      }
      if (pending.cancelling === undefined) deliver(pending, result);
      else {
        take(pending);
        pending.reject(cancelled());
        keep(result);
      }
      pump();
    },

    fail(error) {
      for (const pending of [...orders.values()]) abandon(pending, error);
      unclaimed.clear();
    },
  };
}

/** The ones put in first go. */
function trim(collection: Map<string, unknown> | Set<string>, max: number): void {
  for (const key of collection.keys()) {
    if (collection.size <= max) return;
    collection.delete(key);
  }
}
