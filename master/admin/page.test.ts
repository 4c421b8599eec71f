import { expect, test } from 'vitest';
import { pageOf } from './page.ts';

const items = ['d', 'a', 'c', 'b', 'e'];

test('pages cover everything once, in order', () => {
  const seen: string[] = [];
  for (let pageToken = ''; ; ) {
    const page = pageOf(items, (item) => item, { pageSize: 2, pageToken });
    seen.push(...page.items);
    if (page.nextPageToken === '') break;
    pageToken = page.nextPageToken;
  }
  expect(seen).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test.each([
  { pageSize: 1001, pageToken: '' },
  { pageSize: 1, pageToken: '!!' },
])('refuses %j', (request) => {
  expect(() => pageOf(items, (item) => item, request)).toThrow(/cannot/);
});
