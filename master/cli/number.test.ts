import { expect, test } from 'vitest';
import { sizeInBytes, wholeNumber } from './number.ts';

test.each([
  ['0', 0n],
  ['1000', 1000n],
  ['1k', 1024n],
  ['512M', 536_870_912n],
  ['2g', 2_147_483_648n],
])('%s is %s bytes', (text, size) => {
  expect(sizeInBytes(text, '--php-memory')).toBe(size);
});

test.each(['', 'M', '1.5G', '-1', '1T', '1 M', '1MB', '9999999999999'])('%j is no size', (text) => {
  expect(() => sizeInBytes(text, '--php-memory')).toThrow(/for --php-memory: a size is needed/);
});

test('whole numbers only', () => {
  expect(wholeNumber('10', '--x')).toBe(10n);
  for (const text of ['', '-1', '1e3', '0x1', '1.0']) expect(() => wholeNumber(text, '--x')).toThrow(/whole number/);
});
