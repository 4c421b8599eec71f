import { describe, expect, test } from 'vitest';
import type { ActionResult } from '../shared/gen/aegir/v1/agent.ts';
import { createUpstream, type EventBody, type Upstream } from './upstream.ts';

const log = (level: string, text: string): EventBody => ({ $case: 'log', value: { level, text } });
const progress = (fraction: number): EventBody => ({ $case: 'progress', value: { fraction, label: '' } });
const message: EventBody = {
  $case: 'message',
  value: { kind: 'warning', text: 'mind', value: '', expiresAt: undefined },
};
const result = (actionId: string): ActionResult => ({ actionId, changes: [], outcome: undefined });
const at = new Date(0);

/** Everything that is there, in short form. */
function drain(upstream: Upstream): string[] {
  const all: string[] = [];
  for (let item = upstream.take(); item !== undefined; item = upstream.take()) {
    if (item.kind === 'result') all.push(`result ${item.result.actionId}`);
    else {
      const { actionId, seq, body } = item.event;
      const text =
        body?.$case === 'log' ? body.value.text : body?.$case === 'progress' ? body.value.fraction : body?.$case;
      all.push(`${actionId}#${seq} ${text}`);
    }
  }
  return all;
}

describe('upstream', () => {
  test('keeps the order and numbers the events of each action from 1', () => {
    const upstream = createUpstream();
    upstream.event('a', at, log('info', 'one'));
    upstream.event('b', at, log('info', 'other'));
    upstream.event('a', at, log('info', 'two'));
    upstream.result(result('a'), true);
    expect(drain(upstream)).toEqual(['a#1 one', 'b#1 other', 'a#2 two', 'result a']);
  });

  test('a new session gets again what is not acknowledged, with the same numbers', () => {
    const upstream = createUpstream();
    upstream.event('a', at, log('info', 'one'));
    upstream.result(result('a'), true);
    upstream.result(result('question'), false);
    drain(upstream);
    upstream.event('b', at, log('info', 'new'));
    upstream.rewind();
    expect(drain(upstream)).toEqual(['a#1 one', 'result a', 'b#1 new']);
    upstream.forget('a');
    upstream.rewind();
    expect(drain(upstream)).toEqual(['b#1 new']);
  });

  test('over the limit debug, then progress, then log lines go, the oldest first; never messages or results; no gaps', () => {
    const upstream = createUpstream({ maxWaiting: 5 });
    upstream.event('a', at, log('info', 'info 1'));
    upstream.event('a', at, log('debug', 'debug'));
    upstream.event('a', at, message);
    upstream.event('a', at, progress(0.1));
    upstream.event('a', at, log('info', 'info 2'));
    upstream.event('a', at, log('info', 'info 3')); // debug goes
    upstream.event('a', at, log('info', 'info 4')); // progress goes
    upstream.event('a', at, log('error', 'bad')); // info 1 goes
    upstream.result(result('a'), true); // info 2 goes
    expect(drain(upstream)).toEqual(['a#1 message', 'a#2 info 3', 'a#3 info 4', 'a#4 bad', 'result a']);
  });

  test('only the newest progress waits', () => {
    const upstream = createUpstream();
    for (let i = 0; i < 1000; i++) upstream.event('a', at, progress(i / 1000));
    expect(upstream.length).toBe(1);
    expect(drain(upstream)).toEqual(['a#1 0.999']);
  });

  test('is bounded whatever comes', () => {
    const upstream = createUpstream({ maxWaiting: 50, maxSent: 20, maxOnce: 10 });
    for (let i = 0; i < 500; i++) {
      upstream.event(`a${i}`, at, log('warn', 'text'));
      upstream.result(result(`q${i}`), false);
    }
    expect(upstream.length).toBeLessThanOrEqual(51);
    drain(upstream);
    upstream.rewind();
    expect(upstream.length).toBeLessThanOrEqual(20);
  });

  test('a result that is asked for again is sent again, once', () => {
    const upstream = createUpstream();
    upstream.result(result('a'), true);
    upstream.result(result('a'), true);
    expect(drain(upstream)).toEqual(['result a']);
    upstream.result(result('a'), true);
    expect(drain(upstream)).toEqual(['result a']);
  });
});
