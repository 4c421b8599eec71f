// What is told at the end of a run that failed.
import { expect, it } from 'vitest';
import { failuresIn, failuresOf } from './failures.ts';

const test = (fullName: string, status: string, ...failureMessages: string[]) => ({
  fullName,
  status,
  failureMessages,
});

it('names each test that failed with the first lines of why, and nothing that passed', () => {
  const long = Array.from({ length: 30 }, (_, line) => `line ${line}`).join('\n');
  const report = {
    testResults: [
      {
        name: '/r/a.test.ts',
        status: 'failed',
        assertionResults: [test('holds', 'passed'), test('goes', 'failed', long)],
      },
      { name: '/r/b.test.ts', status: 'passed', assertionResults: [test('comes', 'passed')] },
    ],
  };
  const [only, ...more] = failuresOf(report, '/r');
  expect(more).toEqual([]);
  expect(only).toMatch(/^a\.test\.ts: goes: line 0\n {2}line 1\n/);
  expect(only?.split('\n').length).toBe(6);
});

it('names a file that failed before its tests', () => {
  const file = {
    name: '/r/a.test.ts',
    status: 'failed',
    message: 'no fleet',
    assertionResults: [test('a', 'skipped')],
  };
  expect(failuresOf({ testResults: [file] }, '/r')).toEqual(['a.test.ts: no fleet']);
});

it('is bounded', () => {
  const tests = Array.from({ length: 25 }, (_, at) => test(`t${at}`, 'failed', 'no'));
  const told = failuresOf({ testResults: [{ name: '/r/a.test.ts', status: 'failed', assertionResults: tests }] }, '/r');
  expect(told.length).toBe(21);
  expect(told.at(-1)).toBe('and 5 more');
});

it('has nothing to say without a report', async () => {
  expect(await failuresIn('/nonexistent/report.json', '/r')).toEqual([]);
});
