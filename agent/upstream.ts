// What waits to go up to the master: events and results of actions, in order, in bounded memory. It outlives sessions:
// a new session sends again what the last one may have lost.
import type { ActionEvent, ActionResult } from '../shared/gen/aegir/v1/agent.ts';

export type EventBody = NonNullable<ActionEvent['body']>;
export type UpstreamItem =
  | { readonly kind: 'event'; readonly event: ActionEvent }
  | { readonly kind: 'result'; readonly result: ActionResult; readonly label: string };

export interface Upstream {
  event(actionId: string, time: Date, body: EventBody): void;
  /** kept: sent again on every new session until forgotten; otherwise sent once. label: the action's, when known. */
  result(result: ActionResult, kept: boolean, label?: string): void;
  /** The next to send; undefined when there is nothing. */
  take(): UpstreamItem | undefined;
  /** A new session begins: what went out before goes out again, first. */
  rewind(): void;
  /** The master has the result of the action. */
  forget(actionId: string): void;
  /** Called when there is something to take; one listener. */
  onReady(listener: () => void): void;
  readonly length: number;
}

export interface UpstreamLimits {
  /** Events that wait; over it log lines and progress are dropped, messages never. Default 1 000. */
  readonly maxWaiting?: number;
  /** Events kept after sending, for the next session. Default 200. */
  readonly maxSent?: number;
  /** Results that are sent once. Default 500. */
  readonly maxOnce?: number;
}

interface WaitingEvent {
  readonly kind: 'event';
  readonly actionId: string;
  readonly time: Date;
  readonly body: EventBody;
  /** Given when it is sent, so that dropping leaves no gap; the same when it is sent again. */
  seq: bigint;
}
interface WaitingResult {
  readonly kind: 'result';
  readonly actionId: string;
  readonly result: ActionResult;
  readonly label: string;
  readonly kept: boolean;
}
type Waiting = WaitingEvent | WaitingResult;

export function createUpstream(limits: UpstreamLimits = {}): Upstream {
  const maxWaiting = limits.maxWaiting ?? 1_000;
  const maxSent = limits.maxSent ?? 200;
  const maxOnce = limits.maxOnce ?? 500;
  let waiting: Waiting[] = [];
  let sent: Waiting[] = [];
  const lastSeq = new Map<string, bigint>();
  let listener = () => {};

  const dropOne = (dispensable: (item: Waiting) => boolean): boolean => {
    const at = waiting.findIndex(dispensable);
    if (at >= 0) waiting.splice(at, 1);
    return at >= 0;
  };
  const unnumbered = (item: Waiting): item is WaitingEvent => item.kind === 'event' && item.seq === 0n;
  const makeRoom = () => {
    if (waiting.length <= maxWaiting) return;
    const isLog = (item: Waiting, levels: readonly string[]) =>
      unnumbered(item) && item.body.$case === 'log' && levels.includes(item.body.value.level);
    void (
      dropOne((item) => isLog(item, ['debug'])) ||
      dropOne((item) => unnumbered(item) && item.body.$case === 'progress') ||
      dropOne((item) => isLog(item, ['info'])) ||
      dropOne((item) => isLog(item, ['warn', 'error']))
    );
    const once = waiting.filter((item) => item.kind === 'result' && !item.kept);
    if (once.length > maxOnce) dropOne((item) => item === once[0]);
  };
  const send = (item: Waiting): UpstreamItem => {
    if (item.kind === 'result') return { kind: 'result', result: item.result, label: item.label };
    if (item.seq === 0n) {
      item.seq = (lastSeq.get(item.actionId) ?? 0n) + 1n;
      lastSeq.set(item.actionId, item.seq);
    }
    const { actionId, seq, time, body } = item;
    return { kind: 'event', event: { actionId, seq, time, body } };
  };

  return {
    event(actionId, time, body) {
      const last = waiting.at(-1);
      // Only the newest progress matters while nothing can be sent.
      if (body.$case === 'progress' && last?.actionId === actionId && unnumbered(last)) {
        if (last.body.$case === 'progress') waiting.pop();
      }
      waiting.push({ kind: 'event', actionId, time, body, seq: 0n });
      makeRoom();
      listener();
    },
    result(result, kept, label = '') {
      const same = (item: Waiting) => item.kind === 'result' && item.actionId === result.actionId;
      sent = sent.filter((item) => !same(item));
      waiting = waiting.filter((item) => !same(item));
      waiting.push({ kind: 'result', actionId: result.actionId, result, label, kept });
      makeRoom();
      listener();
    },
    take() {
      const item = waiting.shift();
      if (item === undefined) return undefined;
      if (item.kind === 'event' || item.kept) sent.push(item);
      else lastSeq.delete(item.actionId);
      if (sent.length > maxSent) {
        const oldest = sent.findIndex((other) => other.kind === 'event');
        if (oldest >= 0) sent.splice(oldest, 1);
      }
      return send(item);
    },
    rewind() {
      waiting = [...sent, ...waiting];
      sent = [];
      if (waiting.length > 0) listener();
    },
    forget(actionId) {
      sent = sent.filter((item) => item.actionId !== actionId);
      waiting = waiting.filter((item) => item.actionId !== actionId);
      lastSeq.delete(actionId);
    },
    onReady(next) {
      listener = next;
      if (waiting.length > 0) next();
    },
    get length() {
      return waiting.length;
    },
  };
}
