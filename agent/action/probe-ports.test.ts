import { expect, test } from 'vitest';
import type { ActionContext } from '../engine/engine.ts';
import type { Tools } from './action.ts';
import { createProbePorts } from './probe-ports.ts';

const ctx = { signal: new AbortController().signal } as unknown as ActionContext;
const TARGETS = [{ address: '192.0.2.1', port: 80 }];

test.each([
  { heard: ['silent', 'silent', 'open'] as const, answer: 'open', knocks: 3 },
  { heard: ['unreachable', 'open'] as const, answer: 'open', knocks: 2 },
  { heard: ['silent', 'silent', 'silent'] as const, answer: 'silent', knocks: 3 },
  { heard: ['refused'] as const, answer: 'refused', knocks: 1 },
])('of $heard it says $answer', async ({ heard, answer, knocks }) => {
  let asked = 0;
  const handler = createProbePorts(async () => {
    asked += 1;
    return heard[asked - 1] ?? 'silent';
  });
  const { ports } = await handler.run({ targets: TARGETS }, ctx, {} as Tools, {
    resumed: false,
    hide: () => {},
  });
  expect(ports).toEqual([{ ...TARGETS[0], answer }]);
  expect(asked).toBe(knocks);
});
