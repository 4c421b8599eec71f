import { expect, test } from 'vitest';
import { judgePublic, type PublicAnswers } from './public-serials.ts';

const seen = (...nameservers: [name: string, serial: number | undefined, why?: string][]): PublicAnswers => ({
  nameservers: nameservers.map(([name, serial, why = '']) => ({ name, serial, why })),
  failed: '',
});
const judged = (own: number | undefined, answers: PublicAnswers) =>
  judgePublic('example.org', own, answers).map(({ code, level, text }) => `${level} ${code}: ${text}`);

test('one serial everywhere is well', () => {
  expect(judged(7, seen(['ns1', 7], ['ns2', 7]))).toEqual([
    'ok dns.serial: all its name servers answer with serial 7: ns1, ns2',
  ]);
  expect(judged(undefined, seen(['ns1', 7]))[0]).toMatch(/^ok dns.serial/);
});

test('a secondary that lags behind, and one that is away', () => {
  expect(judged(8, seen(['ns1', 8], ['ns2', 7]))).toEqual([
    'warning dns.serial: its name servers do not have the same serial: 8 here, ns1 8, ns2 7',
  ]);
  expect(judged(8, seen(['ns1', 8], ['ns2', undefined, 'it has no address']))).toEqual([
    'warning dns.nameserver: ns2: it has no address',
  ]);
});

test('nobody is led to it; and a resolver that does not answer says nothing', () => {
  expect(judged(8, seen())).toEqual(['warning dns.public: the public finds no name servers of it']);
  expect(judged(8, { nameservers: [], failed: 'ETIMEOUT' })[0]).toMatch(/^info dns.public: not known/);
});
