// Delivery, with a session made by hand and a clock in our hands: at least once, in order, bounded, cancelled, given up.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AegirError } from '../../shared/error.ts';
import type { ActionEvent, ActionResult, MasterMessage } from '../../shared/gen/aegir/v1/agent.ts';
import { TakeSnapshotRequest } from '../../shared/gen/aegir/v1/backup.ts';
import type { ActionOrder, PerformOptions } from './agents.ts';
import { createDesk, type Desk, type Link } from './desk.ts';

type Sent = NonNullable<MasterMessage['body']>;

let desk: Desk;
const settled = new Set<string>();

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  settled.clear();
  desk = createDesk({
    serverName: 'web1',
    limit: 2,
    cancelMs: 30_000,
    reconnectMs: 60_000,
    now: Date.now,
    isSettled: async (id) => settled.has(id),
  });
});
afterEach(() => vi.useRealTimers());

function link(openActions: readonly string[] = [], bootId = 'boot'): Link & { readonly sent: Sent[] } {
  const sent: Sent[] = [];
  return { sent, bootId, openActions: new Set(openActions), send: (body) => void sent.push(body) };
}

/** Actions as id:attempt, others by their kind and id. */
function told(to: { readonly sent: readonly Sent[] }): string[] {
  return to.sent.map((body) => {
    if (body.$case === 'action') return `${body.value.id}:${body.value.attempt}`;
    return body.$case === 'cancel' || body.$case === 'ack' ? `${body.$case} ${body.value.actionId}` : body.$case;
  });
}

function order(id: string, changes: Partial<ActionOrder> = {}): ActionOrder {
  return {
    id,
    attempt: 1,
    generation: 7,
    resource: 'site/site-0123456789abcdef',
    taskId: 'task-0123456789abcdef',
    step: 0,
    urgent: false,
    expiresAt: Date.now() + 600_000,
    request: { $case: 'diagnose', value: { masterTime: undefined, services: [], hostOnly: false } },
    ...changes,
  };
}

function perform(id: string, changes: Partial<ActionOrder> = {}, options: Partial<PerformOptions> = {}) {
  const waiting = vi.fn();
  const events: ActionEvent[] = [];
  const controller = new AbortController();
  const promise = desk.perform(order(id, changes), {
    signal: controller.signal,
    onEvent: (event) => void events.push(event),
    onWaiting: waiting,
    ...options,
  });
  const end = promise.then(
    ({ result }) => `result ${result.changes.join()}`,
    (error: unknown) => (error instanceof AegirError ? error.code : String(error)),
  );
  return { promise, end, waiting, events, controller };
}

function result(actionId: string, change = 'done'): ActionResult {
  const outcome = { $case: 'ok' as const, value: { messages: [], platform: undefined, findings: [], ports: [] } };
  return { actionId, changes: [change], outcome };
}

describe('delivery', () => {
  test('waits for a session, sends, resolves, acknowledges', async () => {
    const { promise, waiting } = perform('a');
    expect(waiting).toHaveBeenCalledTimes(1);
    const session = link();
    desk.attach(session);
    expect(told(session)).toEqual(['a:1']);
    expect(session.sent[0]).toMatchObject({
      value: { generation: 7n, taskId: 'task-0123456789abcdef', resource: 'site/site-0123456789abcdef' },
    });
    desk.result(session, result('a'));
    const delivered = await promise;
    expect(told(session)).toEqual(['a:1']);
    delivered.acknowledge();
    expect(told(session)).toEqual(['a:1', 'ack a']);
  });

  test('is repeated on every new session until the result came', async () => {
    const first = link();
    desk.attach(first);
    const { end, waiting } = perform('a', { attempt: 3 });
    expect(waiting).not.toHaveBeenCalled();
    desk.detach(first);
    expect(waiting).toHaveBeenCalledTimes(1);
    const second = link();
    desk.attach(second);
    desk.detach(second);
    const third = link();
    desk.attach(third);
    expect([told(first), told(second), told(third)]).toEqual([['a:3'], ['a:4'], ['a:5']]);
    desk.result(third, result('a'));
    expect(await end).toBe('result done');
    const fourth = link();
    desk.attach(fourth);
    expect(told(fourth)).toEqual([]);
  });

  test('an old session has nothing to say any more', async () => {
    const old = link();
    desk.attach(old);
    const { end, events } = perform('a');
    const young = link();
    desk.attach(young);
    desk.result(old, result('a', 'old'));
    desk.event(old, event('a', 1n));
    desk.detach(old);
    expect(events).toEqual([]);
    desk.result(young, result('a', 'young'));
    expect(await end).toBe('result young');
  });

  test('no more than the limit at a time, in the order they came, those under way first', async () => {
    const session = link();
    desk.attach(session);
    const ends = ['a', 'b', 'c', 'd'].map((id) => perform(id).end);
    expect(told(session)).toEqual(['a:1', 'b:1']);
    desk.result(session, result('b'));
    expect(told(session)).toEqual(['a:1', 'b:1', 'c:1']);
    desk.detach(session);
    const next = link();
    desk.attach(next);
    expect(told(next)).toEqual(['a:2', 'c:2']);
    for (const id of ['a', 'c', 'd']) desk.result(next, result(id));
    expect(await Promise.all(ends)).toEqual(Array(4).fill('result done'));
  });

  test('what takes hours keeps nothing else waiting, and what visitors wait for has a place in any case', () => {
    const session = link();
    desk.attach(session);
    const long = { $case: 'takeSnapshot' as const, value: TakeSnapshotRequest.fromPartial({}) };
    for (const id of ['l1', 'l2', 'l3']) perform(id, { request: long });
    for (const id of ['s1', 's2', 's3']) perform(id);
    perform('u1', { urgent: true });
    perform('u2', { urgent: true, request: long });
    expect(told(session)).toEqual(['l1:1', 'l2:1', 's1:1', 's2:1', 'u1:1', 'u2:1']);
    desk.result(session, result('l1'));
    expect(told(session).at(-1)).toBe('l3:1');
  });

  test('events come once, though sessions repeat them; a new boot counts anew', () => {
    const session = link();
    desk.attach(session);
    const { events } = perform('a');
    for (const seq of [1n, 2n, 2n, 3n]) desk.event(session, event('a', seq));
    desk.detach(session);
    const again = link();
    desk.attach(again);
    for (const seq of [2n, 3n, 4n]) desk.event(again, event('a', seq));
    expect(events.map(({ seq }) => seq)).toEqual([1n, 2n, 3n, 4n]);
    const rebooted = link([], 'other');
    desk.attach(rebooted);
    desk.event(rebooted, event('a', 1n));
    expect(events).toHaveLength(5);
  });
});

describe('results that come before anybody asks', () => {
  test('wait for the action to be performed, which then sends nothing', async () => {
    const session = link(['a']);
    desk.attach(session);
    desk.result(session, result('a', 'earlier'));
    desk.result(session, result('a', 'earlier'));
    const { promise } = perform('a');
    const delivered = await promise;
    expect(delivered.result.changes).toEqual(['earlier']);
    expect(told(session)).toEqual([]);
    delivered.acknowledge();
    expect(told(session)).toEqual(['ack a']);
  });

  test('are bounded: the oldest go, and the agent still has them', async () => {
    const session = link();
    desk.attach(session);
    for (let i = 0; i < 250; i++) desk.result(session, result(`r${i}`));
    expect(await perform('r249').end).toBe('result done');
    void perform('r0');
    expect(told(session)).toEqual(['r0:1']);
  });

  test('are acknowledged when their task is over', async () => {
    const session = link();
    desk.attach(session);
    settled.add('a');
    desk.result(session, result('a'));
    desk.result(session, result('b'));
    await vi.advanceTimersByTimeAsync(1);
    expect(told(session)).toEqual(['ack a']);
  });

  test('an acknowledgement that was lost with its session is given again', async () => {
    const session = link();
    desk.attach(session);
    const { promise } = perform('a');
    desk.result(session, result('a'));
    const delivered = await promise;
    desk.detach(session);
    delivered.acknowledge();
    const next = link(['a']);
    desk.attach(next);
    desk.result(next, result('a'));
    expect(told(next)).toEqual(['ack a']);
  });

  test('an action performed again after its acknowledgement is done again', async () => {
    const session = link();
    desk.attach(session);
    const first = perform('a');
    desk.result(session, result('a', 'first'));
    (await first.promise).acknowledge();
    const second = perform('a');
    desk.result(session, result('a', 'second'));
    expect(await second.end).toBe('result second');
    expect(told(session)).toEqual(['a:1', 'ack a', 'a:1']);
  });
});

describe('cancel', () => {
  test('of what was sent asks the agent and waits for its answer', async () => {
    const session = link();
    desk.attach(session);
    const { controller, end } = perform('a');
    controller.abort();
    expect(told(session)).toEqual(['a:1', 'cancel a']);
    desk.result(session, result('a'));
    expect(await end).toBe('cancelled');
  });

  test('gives up after a while, and is repeated instead of the action on a new session', async () => {
    const session = link();
    desk.attach(session);
    const { controller, end } = perform('a');
    controller.abort();
    desk.detach(session);
    const next = link();
    desk.attach(next);
    expect(told(next)).toEqual(['cancel a']);
    await vi.advanceTimersByTimeAsync(30_001);
    expect(await end).toBe('cancelled');
    const last = link();
    desk.attach(last);
    expect(told(last)).toEqual([]);
  });

  test('of what waits needs no agent, and makes room', async () => {
    const session = link();
    desk.attach(session);
    const [a, , c] = ['a', 'b', 'c', 'd'].map((id) => perform(id));
    c?.controller.abort();
    expect(await c?.end).toBe('cancelled');
    a?.controller.abort();
    desk.result(session, result('a'));
    expect(told(session)).toEqual(['a:1', 'b:1', 'cancel a', 'd:1']);
  });

  test('of what a master before this one had sent asks the agent', () => {
    const session = link(['c']);
    desk.attach(session);
    const orders = ['a', 'b', 'c'].map((id) => perform(id));
    orders[2]?.controller.abort();
    expect(told(session)).toEqual(['a:1', 'b:1', 'cancel c']);
    desk.result(session, result('a'));
    expect(told(session)).toEqual(['a:1', 'b:1', 'cancel c']);
  });

  test('a lost lease leaves the action to whoever has it now', async () => {
    const session = link();
    desk.attach(session);
    const { controller, end } = perform('a');
    controller.abort(new AegirError('aborted', 'cannot go on: lease lost'));
    expect(await end).toBe('aborted');
    expect(told(session)).toEqual(['a:1']);
    desk.result(session, result('a', 'in between'));
    expect(await perform('a').end).toBe('result in between');
  });

  test('who performs the same action again takes over, and the agent hears of the newer fence', async () => {
    const session = link();
    desk.attach(session);
    const old = perform('a');
    const young = perform('a', { generation: 9 });
    expect(await old.end).toBe('aborted');
    expect(told(session)).toEqual(['a:1', 'a:2']);
    expect(session.sent[1]).toMatchObject({ value: { generation: 9n } });
    desk.result(session, result('a'));
    expect(await young.end).toBe('result done');
  });
});

describe('giving up', () => {
  test('without a session at the expiry', async () => {
    const { end } = perform('a', { expiresAt: Date.now() + 5000 });
    await vi.advanceTimersByTimeAsync(4999);
    const session = link();
    desk.attach(session);
    expect(told(session)).toEqual(['a:1']);
    desk.result(session, result('a'));
    expect(await end).toBe('result done');
    desk.detach(session);
    const late = perform('b', { expiresAt: Date.now() + 5000 });
    await vi.advanceTimersByTimeAsync(5001);
    expect(await late.end).toBe('unavailable');
    const next = link();
    desk.attach(next);
    expect(told(next)).toEqual([]);
  });

  test('behind others at the expiry', async () => {
    const session = link();
    desk.attach(session);
    const busy = ['a', 'b'].map((id) => perform(id));
    const { end } = perform('c', { expiresAt: Date.now() + 5000 });
    await vi.advanceTimersByTimeAsync(5001);
    expect(await end).toBe('unavailable');
    expect(told(session)).toEqual(['a:1', 'b:1']);
    for (const id of ['a', 'b']) desk.result(session, result(id));
    expect(await Promise.all(busy.map(({ end }) => end))).toEqual(['result done', 'result done']);
  });

  test('not while the agent that has the action is there, however long it takes', async () => {
    const session = link();
    desk.attach(session);
    const { end } = perform('a', { expiresAt: Date.now() + 5000 });
    await vi.advanceTimersByTimeAsync(3_600_000);
    desk.result(session, result('a'));
    expect(await end).toBe('result done');
  });

  test('when the agent that has the action stays away', async () => {
    const session = link();
    desk.attach(session);
    const { end } = perform('a', { expiresAt: Date.now() + 5000 });
    await vi.advanceTimersByTimeAsync(10_000);
    desk.detach(session);
    await vi.advanceTimersByTimeAsync(59_000);
    const back = link();
    desk.attach(back);
    expect(told(back)).toEqual(['a:2']);
    desk.detach(back);
    await vi.advanceTimersByTimeAsync(60_001);
    expect(await end).toBe('unavailable');
  });

  test('an expiry beyond what a timer can hold is no expiry now', async () => {
    const { end } = perform('a', { expiresAt: Date.now() + 2 ** 31 + 5000 });
    await vi.advanceTimersByTimeAsync(2 ** 31 + 1000);
    const session = link();
    desk.attach(session);
    desk.result(session, result('a'));
    expect(await end).toBe('result done');
  });

  test('all of it, on failure', async () => {
    const ends = ['a', 'b', 'c'].map((id) => perform(id).end);
    desk.fail(new AegirError('failed_precondition', 'cannot act on web1: it was revoked'));
    expect(await Promise.all(ends)).toEqual(Array(3).fill('failed_precondition'));
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('an agent that says too much', () => {
  test('in one action: what is over is left out, and said so once', async () => {
    const session = link();
    desk.attach(session);
    const { events, end } = perform('a');
    for (let seq = 1n; seq <= 6_000n; seq++) desk.event(session, event('a', seq));
    expect(events).toHaveLength(5_001);
    expect(events.at(-1)?.body).toMatchObject({ value: { level: 'warn', text: expect.stringContaining('left out') } });
    desk.result(session, result('a'));
    expect(await end).toBe('result done');
  });

  test('in long lines', () => {
    const session = link();
    desk.attach(session);
    const { events } = perform('a');
    const value = { level: 'info', text: 'x'.repeat(4_096) };
    for (let seq = 1n; seq <= 1_000n; seq++) desk.event(session, { ...event('a', seq), body: { $case: 'log', value } });
    expect(events.length).toBeLessThan(600);
  });

  test('in results that nobody asked for: the newest are kept, up to 16 MiB', async () => {
    const session = link();
    desk.attach(session);
    const large = Array.from({ length: 1_000 }, () => 'x'.repeat(1_000));
    for (let n = 0; n < 100; n++) desk.result(session, { ...result(`r${n}`), changes: large });
    expect(await perform('r99').end).toBe(`result ${large.join()}`);
    const lost = perform('r0');
    await vi.advanceTimersByTimeAsync(0);
    expect(told(session)).toContain('r0:1');
    lost.controller.abort();
  });
});

function event(actionId: string, seq: bigint): ActionEvent {
  return { actionId, seq, time: new Date(0), body: { $case: 'log', value: { level: 'info', text: `line ${seq}` } } };
}
