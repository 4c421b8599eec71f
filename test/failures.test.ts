// What is told at the end of a run that failed.
import { expect, it } from 'vitest';
import { failuresIn, tellFailures } from './failures.ts';

it('names each test with the first lines of why', () => {
  const long = Array.from({ length: 30 }, (_, line) => `line ${line}`).join('\n');
  const [told] = tellFailures([{ file: 'a.test.ts', test: 'goes', messages: [long] }]);
  expect(told).toMatch(/^a\.test\.ts: goes: line 0\n {2}line 1\n/);
  expect(told?.split('\n').length).toBe(6);
});

it('names a file that failed outside of its tests', () => {
  expect(tellFailures([{ file: 'a.test.ts', test: '', messages: ['no fleet'] }])).toEqual(['a.test.ts: no fleet']);
});

it('is bounded', () => {
  const told = tellFailures(Array.from({ length: 25 }, (_, at) => ({ file: 'a', test: `t${at}`, messages: ['no'] })));
  expect(told.length).toBe(21);
  expect(told.at(-1)).toBe('and 5 more');
});

it('says where to look when nothing was written', async () => {
  expect(await failuresIn('/nonexistent/failures')).toEqual(['it says of no test that it failed: look above']);
});
