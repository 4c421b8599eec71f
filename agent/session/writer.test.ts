import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { AgentMessage } from '../../shared/gen/aegir/v1/agent.ts';
import { createUpstream } from '../upstream.ts';
import { createWriter, type SessionCall } from './writer.ts';

/** A stream that takes `room` messages, then says stop until it is drained. */
function stream(room: number) {
  const emitter = new EventEmitter();
  const written: AgentMessage[] = [];
  let left = room;
  const call = Object.assign(emitter, {
    write(message: AgentMessage, done?: () => void) {
      written.push(message);
      done?.();
      left -= 1;
      return left > 0;
    },
  });
  return {
    call: call as unknown as SessionCall,
    kinds: () => written.map((message) => message.body?.$case),
    drain(more: number) {
      left = more;
      emitter.emit('drain');
    },
  };
}

const beat = (n: bigint) => ({
  $case: 'heartbeat' as const,
  value: { time: undefined, rssBytes: n, cpuMillis: 0n, meshState: 'off' },
});
const hello = {
  $case: 'hello' as const,
  value: { protocol: 1, bootId: 'b', inventory: undefined, openActions: [], meshKey: '', highestGeneration: 0n },
};
const inventory = { $case: 'inventory' as const, value: { facts: undefined, services: [], takenAt: undefined } };

describe('writer', () => {
  test('writes nothing more once the stream is full, and goes on when it is drained', () => {
    const upstream = createUpstream();
    const { call, kinds, drain } = stream(2);
    const writer = createWriter(call, upstream, () => {});
    writer.control(hello);
    writer.open();
    for (let i = 0; i < 10; i++)
      upstream.event('a', new Date(), { $case: 'log', value: { level: 'info', text: `${i}` } });
    expect(kinds()).toEqual(['hello', 'event']);
    expect(upstream.length).toBe(9);
    drain(3);
    expect(kinds().length).toBe(5);
    expect(upstream.length).toBe(6);
  });

  test('of heartbeats only the newest waits, before events', () => {
    const upstream = createUpstream();
    const { call, kinds, drain } = stream(1);
    const writer = createWriter(call, upstream, () => {});
    writer.control(hello);
    writer.open();
    upstream.event('a', new Date(), { $case: 'log', value: { level: 'info', text: 'x' } });
    for (let i = 0; i < 100; i++) writer.control(beat(BigInt(i)));
    writer.control(inventory);
    drain(10);
    expect(kinds()).toEqual(['hello', 'heartbeat', 'inventory', 'event']);
  });

  test('holds events and results back until the session is open, and names the result that it sent', () => {
    const upstream = createUpstream();
    const { call, kinds } = stream(10);
    const reached: string[] = [];
    const writer = createWriter(call, upstream, (name) => void reached.push(name));
    upstream.result({ actionId: 'a', changes: [], outcome: undefined }, true, 'apply-db');
    writer.control(hello);
    expect(kinds()).toEqual(['hello']);
    writer.open();
    expect(kinds()).toEqual(['hello', 'result']);
    expect(reached).toEqual(['agent.result.sent:apply-db']);
    writer.close();
    upstream.result({ actionId: 'b', changes: [], outcome: undefined }, true);
    expect(upstream.length).toBe(1);
  });
});
