// Times as people read them.
import { expect, test } from 'vitest';
import { moment, timeSpan } from './for-people.ts';

test.each([
  [0, '0 ms'],
  [412, '412 ms'],
  [1000, '1 s'],
  [39_623n, '39.6 s'],
  [60_000, '60 s'],
  [79_218, '79.2 s'],
])('%s is %s', (millis, text) => {
  expect(timeSpan(millis)).toBe(text);
});

test('a moment is told to the minute, with its zone', () => {
  const at = Date.parse('2026-11-28T02:26:29.750Z');
  expect([moment(at), moment(new Date(at))]).toEqual(['2026-11-28 02:26 UTC', '2026-11-28 02:26 UTC']);
});
