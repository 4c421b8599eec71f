import { expect, test } from 'vitest';
import { createBackoff } from './backoff.ts';

test('the first attempt is immediate, then waits grow within bounds', () => {
  for (const [share, expected] of [
    [0, [0, 1000, 1000, 1000, 1000, 1000, 1000]],
    [0.999999, [0, 1300, 1690, 2197, 2856, 3713, 4827]],
  ] as const) {
    const backoff = createBackoff({ minMs: 1000, maxMs: 30_000, random: () => share });
    expect(expected.map(() => backoff.next())).toEqual(expected);
    for (let i = 0; i < 100; i++) expect(backoff.next()).toBeLessThanOrEqual(30_000);
    backoff.reset();
    expect(backoff.next()).toBe(0);
  }
});
