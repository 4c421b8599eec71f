import { expect, test } from 'vitest';
import { directoriesOf, isObjectName, isStale, mayHold, temporaryName } from './object-name.ts';

test.each([
  ['index.caibx', true],
  [`abab/${'ab'.repeat(32)}.cacnk`, true],
  ['a/b/c/d', true],
  ['a/b/c/d/e', false],
  ['', false],
  ['a//b', false],
  ['.a', false],
  ['a/..', false],
  ['-a', false],
  ['a b', false],
  ['a'.repeat(101), false],
])('%s is a name: %s', (name, good) => expect(isObjectName(name)).toBe(good));

test('directories come parents first, each once', () => {
  expect(directoriesOf(['x', 'a/b/c', 'a/d', 'e/f'])).toEqual(['a', 'e', 'a/b']);
});

test.each([
  ['a', '', true],
  ['a', 'a', true],
  ['a', 'a/b', true],
  ['ab', 'a', true],
  ['a', 'ab', false],
  ['a/b', 'a', true],
  ['b', 'a/', false],
])('%s may hold what begins with "%s": %s', (dir, prefix, may) => expect(mayHold(dir, prefix)).toBe(may));

test('only what is unfinished for more than a day is stale', () => {
  const name = temporaryName(1_000, 'abcdef');
  expect([isStale(name, 2_000), isStale(name, 90_000_000), isStale('.aegir-other', 90_000_000)]).toEqual([
    false,
    true,
    false,
  ]);
  expect(isObjectName(name)).toBe(false);
});
