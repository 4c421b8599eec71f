import { expect, test } from 'vitest';
import { duration, durationInSeconds, sizeInBytes, wholeNumber } from './number.ts';

test.each([
  ['0', 0n],
  ['1000', 1000n],
  ['1k', 1024n],
  ['512M', 536_870_912n],
  ['2g', 2_147_483_648n],
])('%s is %s bytes', (text, size) => {
  expect(sizeInBytes(text, '--php-memory')).toBe(size);
});

test.each(['', 'M', '1.5G', '-1', '1P', '1 M', '1MB', '9999999999999'])('%j is no size', (text) => {
  expect(() => sizeInBytes(text, '--php-memory')).toThrow(/for --php-memory: a size is needed/);
});

test('whole numbers only', () => {
  expect(wholeNumber('10', '--x')).toBe(10n);
  for (const text of ['', '-1', '1e3', '0x1', '1.0']) expect(() => wholeNumber(text, '--x')).toThrow(/whole number/);
});

test.each([
  ['off', 0],
  ['0', 0],
  ['90', 90],
  ['90s', 90],
  ['15m', 900],
  ['1h', 3600],
  ['7d', 604_800],
])('%s is %s seconds', (text, seconds) => {
  expect(durationInSeconds(text, '--cron')).toBe(seconds);
});

test.each(['', 'm', '1.5h', '-1h', '1w', '1 h', 'on', '99999999'])('%j is no time', (text) => {
  expect(() => durationInSeconds(text, '--cron')).toThrow(/for --cron: a time is needed, for example 15m/);
});

test('off is no time where nothing can be off', () => {
  for (const text of ['off', '10mm']) {
    expect(() => durationInSeconds(text, '--ttl', false)).toThrow(
      /for --ttl: a time is needed, for example 15m or 1h$/,
    );
  }
});

test.each([
  [45, '45 s'],
  [900, '15 min'],
  [5400, '90 min'],
  [7200, '2 h'],
  [86_400, '1 d'],
])('%s seconds are %s', (seconds, text) => expect(duration(seconds)).toBe(text));
