import { expect, it } from 'vitest';
import { pack } from './pack.ts';

const lines = (count: number, length: number) =>
  Array.from({ length: count }, (_, index) => `${index} `.padEnd(length, 'x'));

it('leaves few lines as they are', () => {
  for (const count of [0, 1, 16]) expect(pack(lines(count, 50))).toEqual(lines(count, 50));
});

it.each([
  [17, 50],
  [150, 110],
  [400, 110],
])('puts %i lines of %i characters into few messages, in order, none left out', (count, length) => {
  const packed = pack(lines(count, length));
  expect(packed.length).toBeLessThanOrEqual(16);
  expect(Math.max(...packed.map((each) => each.length))).toBeLessThanOrEqual(4000);
  expect(packed.flatMap((each) => each.split('; then '))).toEqual(lines(count, length));
});

it('says how many it could not tell', () => {
  const packed = pack(lines(1000, 110));
  expect(packed).toHaveLength(17);
  const told = packed.slice(0, -1).flatMap((each) => each.split('; then ')).length;
  expect(packed.at(-1)).toContain(`${1000 - told} more records`);
});
