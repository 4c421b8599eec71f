import { describe, expect, test } from 'vitest';
import { fullBucket, takeFrom } from './bucket.ts';

describe('a bucket of 1000 bytes a second, 100 at once', () => {
  test.each<[string, readonly (readonly [at: number, bytes: number, waitMs: number])[]]>([
    ['what fits goes at once', [[0, 100, 0]]],
    ['what is too much waits for the rest', [[0, 600, 500]]],
    ['whoever comes later waits behind', [[0, 100, 0], [0, 100, 100], [0, 100, 200], [50, 100, 250]]], // biome-ignore format: a table
    ['a debt is worked off', [[0, 1100, 1000], [1000, 0, 0], [1000, 50, 50]]], // biome-ignore format: a table
    ['a pause gives one burst and no more', [[0, 100, 0], [60_000, 100, 0], [60_000, 100, 100]]], // biome-ignore format: a table
    ['a clock that goes back gives nothing', [[1000, 100, 0], [0, 100, 100], [1000, 100, 200]]], // biome-ignore format: a table
  ])('%s', (_, takes) => {
    let bucket = fullBucket(1000, 100, takes[0]?.[0] ?? 0);
    for (const [at, bytes, waitMs] of takes) {
      const taken = takeFrom(bucket, bytes, at);
      bucket = taken.bucket;
      expect(taken.waitMs).toBe(waitMs);
    }
  });
});
