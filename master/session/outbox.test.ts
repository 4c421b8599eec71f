// What a slow reader costs: nothing beyond the stream's own buffer and a bounded queue.
import { EventEmitter } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import type { MasterMessage } from '../../shared/gen/aegir/v1/agent.ts';
import type { AgentStream } from './guard.ts';
import { createOutbox } from './outbox.ts';

afterEach(() => vi.useRealTimers());

function slowStream(takes: number) {
  const written: string[] = [];
  let room = takes;
  const stream = Object.assign(new EventEmitter(), {
    write(message: MasterMessage) {
      written.push(message.body?.$case === 'ack' ? message.body.value.actionId : '?');
      room -= 1;
      return room > 0;
    },
  });
  const drain = () => {
    room = takes;
    stream.emit('drain');
  };
  return { stream: stream as unknown as AgentStream, written, drain };
}
const ack = (actionId: string) => ({ $case: 'ack' as const, value: { actionId } });

test('waits for drain when write() says stop, and keeps the order', () => {
  const { stream, written, drain } = slowStream(2);
  const outbox = createOutbox(stream, { max: 10, stallMs: 1000, onStall: () => {} });
  for (const id of ['1', '2', '3', '4', '5']) expect(outbox.send(ack(id))).toBe(true);
  expect(written).toEqual(['1', '2']);
  drain();
  expect(written).toEqual(['1', '2', '3', '4']);
  drain();
  expect(written).toEqual(['1', '2', '3', '4', '5']);
  outbox.close();
});

test('refuses when too much waits', () => {
  const { stream, written } = slowStream(1);
  const outbox = createOutbox(stream, { max: 3, stallMs: 1000, onStall: () => {} });
  expect(['1', '2', '3', '4', '5'].map((id) => outbox.send(ack(id)))).toEqual([true, true, true, true, false]);
  expect(written).toEqual(['1']);
  outbox.close();
  expect(outbox.send(ack('6'))).toBe(false);
});

test('tells when nothing drains, and not when something does', () => {
  vi.useFakeTimers();
  const { stream, drain } = slowStream(1);
  const onStall = vi.fn();
  const outbox = createOutbox(stream, { max: 3, stallMs: 1000, onStall });
  outbox.send(ack('1'));
  vi.advanceTimersByTime(900);
  drain();
  vi.advanceTimersByTime(5000);
  expect(onStall).not.toHaveBeenCalled();
  outbox.send(ack('2'));
  outbox.send(ack('3'));
  vi.advanceTimersByTime(1001);
  expect(onStall).toHaveBeenCalledTimes(1);
  outbox.close();
});
