import { expect, test } from 'vitest';
import { idBody, isId, makeId } from './id.ts';

test('ids sort by time and carry only safe characters', () => {
  const random = Uint8Array.from([0, 31, 32, 255, 7, 8, 9]);
  const early = makeId('site', 1_700_000_000_000, random);
  const late = makeId('site', 1_700_000_000_001, Uint8Array.from([0, 0, 0, 0, 0, 0, 0]));
  expect(early).toMatch(/^site-[0-9a-hjkmnp-tv-z]{16}$/);
  expect(early < late).toBe(true);
  expect(isId('site', early)).toBe(true);
  expect(isId('srv', early)).toBe(false);
  expect(idBody(early)).toHaveLength(16);
});

test.each(['', 'site-', 'site-../../../etc/pass', 'site-0123456789abcdeI', 'site-0123456789abcdef0'])(
  '%j is no id',
  (text) => {
    expect(isId('site', text)).toBe(false);
  },
);
