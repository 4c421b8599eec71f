import { expect, test } from 'vitest';
import { createBackoff } from './backoff.ts';

test('the first attempt is immediate, then waits grow within bounds', () => {
  for (const [share, expected] of [
    [0, [0, 1000, 1000, 1000, 1000, 1000, 1000]],
    [0.999999, [0, 2000, 4000, 8000, 16_000, 30_000, 30_000]],
  ] as const) {
    const backoff = createBackoff({ minMs: 1000, maxMs: 30_000, random: () => share });
    expect(expected.map(() => backoff.next())).toEqual(expected);
    backoff.reset();
    expect(backoff.next()).toBe(0);
  }
});
