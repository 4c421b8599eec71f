import { describe, expect, test } from 'vitest';
import { slotAfter, slotUntil } from './slots.ts';

const HOUR = 3_600_000;
const at = Date.UTC(2026, 10, 23, 12, 34, 56);

describe('slots of cron', () => {
  test('come every interval, at the same times for ever', () => {
    const first = slotAfter('site-1', HOUR, at);
    expect(first).toBeGreaterThan(at);
    expect(first).toBeLessThanOrEqual(at + HOUR);
    expect(slotAfter('site-1', HOUR, first)).toBe(first + HOUR);
    expect(slotAfter('site-1', HOUR, first - 1)).toBe(first);
    expect(slotUntil('site-1', HOUR, first)).toBe(first);
    expect(slotUntil('site-1', HOUR, first - 1)).toBe(first - HOUR);
  });

  test('spread the sites of a host over the interval', () => {
    const tenths = new Array<number>(10).fill(0);
    for (let site = 0; site < 1000; site++) {
      const tenth = Math.floor(((slotAfter(`site-${site}`, HOUR, at) - at) / (HOUR + 1)) * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    expect(Math.min(...tenths)).toBeGreaterThan(60);
    expect(Math.max(...tenths)).toBeLessThan(140);
  });
});
