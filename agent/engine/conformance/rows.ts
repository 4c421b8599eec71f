// Tables of cases whose first rows every run takes, and whose rest is for deep ones (npm run test:deep).
import type { TestOptions } from 'vitest';

/** Both parts of a table, with the options of their tests. */
export function rows<T>(cases: readonly T[], first: number): readonly (readonly [readonly T[], TestOptions])[] {
  return [
    [cases.slice(0, first), {}],
    [cases.slice(first), { tags: ['deep'] }],
  ];
}
