// A peer that floods: what the log says, and when it is not even answered.
import { describe, expect, test } from 'vitest';
import { createRefusals } from './refusals.ts';

function rig() {
  const lines: string[] = [];
  const clock = { now: 1_000_000 };
  const refusals = createRefusals({ log: (_, text) => lines.push(text), now: () => clock.now });
  /** As a sender does; answers how many were answered. */
  const flood = (peer: string, count: number): number => {
    let answered = 0;
    for (let i = 0; i < count; i++) {
      if (!refusals.hears(peer)) continue;
      refusals.note(peer, `cannot take the grant: number ${i}`);
      answered += 1;
    }
    return answered;
  };
  return { lines, clock, flood, refusals };
}

describe('a peer that asks for what it may not have', () => {
  test('is told of in the log at once, by name and reason', () => {
    const { lines, flood } = rig();
    expect(flood('srv-a', 1)).toBe(1);
    expect(lines).toEqual(['mesh: refused srv-a a transfer: cannot take the grant: number 0']);
  });

  test('fills no log, and gets few answers', () => {
    const { lines, clock, flood } = rig();
    let answered = 0;
    // 100,000 in ten minutes.
    for (let i = 0; i < 1000; i++) {
      answered += flood('srv-a', 100);
      clock.now += 600;
    }
    expect(lines.length).toBeLessThanOrEqual(11);
    expect(lines.join('').length).toBeLessThan(5000);
    expect(answered).toBeLessThanOrEqual(200 + 10 * 600 + 1);
    const told = lines.map((line) => Number(/\((\d+) more/.exec(line)?.[1] ?? 0)).reduce((a, b) => a + b, lines.length);
    expect(told).toBeGreaterThan(90_000);
    expect(told).toBeLessThanOrEqual(100_000);
  });

  test('does not keep others from being heard, and is heard again after a while', () => {
    const { clock, flood, refusals } = rig();
    expect(flood('srv-a', 1000)).toBe(200);
    expect(refusals.hears('srv-b')).toBe(true);
    expect(refusals.hears('srv-a')).toBe(false);
    clock.now += 1000;
    expect(refusals.hears('srv-a')).toBe(true);
  });

  test('one of very many, is forgotten in time', () => {
    const { lines, flood } = rig();
    for (let i = 0; i < 5000; i++) flood(`srv-${i}`, 1);
    expect(lines).toHaveLength(5000);
    flood('srv-0', 1);
    expect(lines).toHaveLength(5001);
  });

  test('a reason without end stays short', () => {
    const { lines, refusals } = rig();
    refusals.note('srv-a', 'x'.repeat(100_000));
    expect(lines[0]?.length).toBeLessThan(400);
  });
});
