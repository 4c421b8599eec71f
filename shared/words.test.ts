// Articles by how a word is said, plurals by number.
import { expect, test } from 'vitest';
import { counted, withArticle } from './words.ts';

test.each([
  ...[
    ['db', 'a db'],
    ['dns', 'a dns'],
    ['file', 'a file'],
    ['http', 'an http'],
  ],
  ...[
    ['A', 'an A'],
    ['AAAA', 'an AAAA'],
    ['MX', 'an MX'],
    ['NS', 'an NS'],
    ['SRV', 'an SRV'],
  ],
  ...[
    ['TXT', 'a TXT'],
    ['CNAME', 'a CNAME'],
    ['CAA', 'a CAA'],
    ['wordpress', 'a wordpress'],
  ],
])('%s', (word = '', said = '') => {
  expect(withArticle(word)).toBe(said);
});

test('one is one', () => {
  expect([counted(0, 'request'), counted(1, 'request'), counted(2n, 'request')]).toEqual([
    ...['0 requests', '1 request', '2 requests'],
  ]);
});
