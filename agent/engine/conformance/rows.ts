// Tables of cases whose first rows every run takes, and whose rest is for deep ones (npm run test:deep).
import type { TestOptions } from 'vitest';

/** Both parts of a table, with the options of their tests. */
export function rows<T>(cases: readonly T[], first: number): readonly (readonly [readonly T[], TestOptions])[] {
  return [
    [cases.slice(0, first), {}],
    [cases.slice(first), { tags: ['deep'] }],
  ];
}

type Case = readonly [what: string, ...unknown[]];

/** As rows, of what is interrupted at one place after the other: the first at each nth place, and all at every one. */
export function strides<T extends Case>(cases: readonly T[], nth: number) {
  const all = (some: readonly T[], stride: number) => some.map((one) => ({ what: one[0], one, stride }));
  return rows([...all(cases.slice(0, 1), nth), ...all(cases, 1)], 1);
}
