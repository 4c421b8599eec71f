import { describe, expect, it } from 'vitest';
import { questionsOf, type Seen, toRemove, toSet } from './judge.ts';
import type { Answer } from './look-up.ts';

const record = (type: string, data: string, name = 'w.example.org', ttl = 60) => ({ name, type, ttl, data });
const A = record('A', '192.0.2.1');
const A2 = record('A', '192.0.2.2');
const AAAA = record('AAAA', '2001:DB8::1');
const values = (...list: string[]): Answer => ({ values: list });
const failed: Answer = { failed: 'no name server answered in time' };
/** What is seen of w.example.org by type; what is not said is not there. */
const seen =
  (byType: Readonly<Record<string, Answer>>): Seen =>
  (_name, type) =>
    byType[type] ?? values();

describe('questionsOf', () => {
  it('asks each thing once; of addresses the other family and the alias too', () => {
    expect(questionsOf([A, A2, AAAA, record('TXT', 'x')]).map(({ type }) => type)).toEqual([
      'A',
      'AAAA',
      'CNAME',
      'TXT',
    ]);
  });
});

describe('toSet', () => {
  const SET = 'set w.example.org. 60 IN A 192.0.2.1 at your DNS provider';
  const WRONG = "it is no address of the site's web server";

  it.each<[string, Parameters<typeof toSet>[0], Readonly<Record<string, Answer>>, readonly string[]]>([
    ['nothing there', [A], {}, [`${SET} (now: nothing)`]],
    ['there', [A], { A: values('192.0.2.1') }, []],
    ['there, in another spelling', [AAAA], { AAAA: values('2001:db8::1') }, []],
    ['wanted twice', [A, { ...A }], {}, [`${SET} (now: nothing)`]],
    ['one of two', [A, A2], { A: values('192.0.2.2') }, [`${SET} (now: 192.0.2.2)`]],
    ['a TTL that has counted down', [A], { A: { values: ['192.0.2.1'], ttl: 3 } }, []],
    ['a TTL that is too long', [A], { A: { values: ['192.0.2.1'], ttl: 61 } }, [`${SET} (now: with TTL 61)`]],
    [
      'another beside it',
      [A],
      { A: values('192.0.2.1', '192.0.2.9') },
      [`remove w.example.org. IN A 192.0.2.9 at your DNS provider: ${WRONG}`],
    ],
    [
      'another instead of it',
      [A],
      { A: values('192.0.2.9') },
      [`${SET} (now: 192.0.2.9)`, `remove w.example.org. IN A 192.0.2.9 at your DNS provider: ${WRONG}`],
    ],
    [
      'an address of the family that the site does not have',
      [A],
      { A: values('192.0.2.1'), AAAA: values('2001:db8::9') },
      [`remove w.example.org. IN AAAA 2001:db8::9 at your DNS provider: ${WRONG}`],
    ],
    [
      'an alias that leads to it, whatever its TTL',
      [A],
      { A: { values: ['192.0.2.1'], ttl: 99 }, CNAME: values('c') },
      [],
    ],
    [
      'an alias that leads nowhere',
      [A],
      { CNAME: values('c.example.net') },
      [`${SET} instead of its CNAME c.example.net. (it leads to nothing)`],
    ],
    [
      'an alias that leads elsewhere too',
      [A],
      { A: values('192.0.2.1'), AAAA: values('2001:db8::9'), CNAME: values('c.example.net') },
      [`${SET} instead of its CNAME c.example.net. (it leads to 192.0.2.1; not the site's: AAAA 2001:db8::9)`],
    ],
    [
      'nobody answers',
      [A],
      { A: failed, AAAA: failed, CNAME: failed },
      [
        'make sure that w.example.org. 60 IN A 192.0.2.1 is set at your DNS provider (it cannot be looked up: no name server answered in time)',
      ],
    ],
    ['nobody answers about the other family', [A], { A: values('192.0.2.1'), AAAA: failed, CNAME: failed }, []],
    ['other texts', [record('TXT', '"mine"')], { TXT: values('mine', 'theirs') }, []],
    [
      'a text in other letters',
      [record('TXT', 'AbC')],
      { TXT: values('abc') },
      ['set w.example.org. 60 IN TXT AbC at your DNS provider (now: abc)'],
    ],
  ])('%s', (_what, records, byType, lines) => expect(toSet(records, seen(byType))).toEqual(lines));
});

describe('toRemove', () => {
  it.each<[string, Parameters<typeof toRemove>[0], Readonly<Record<string, Answer>>, readonly string[]]>([
    ['nothing there', [A, AAAA], {}, []],
    ["somebody else's address", [A], { A: values('192.0.2.9') }, []],
    [
      'there beside another',
      [A],
      { A: values('192.0.2.1', '192.0.2.9') },
      ['remove w.example.org. 60 IN A 192.0.2.1 at your DNS provider'],
    ],
    [
      'two addresses behind one alias',
      [A, A2],
      { A: values('192.0.2.1', '192.0.2.2'), CNAME: values('c.example.net') },
      ["remove w.example.org. IN CNAME c.example.net. at your DNS provider (it leads to the site's server)"],
    ],
    [
      'nobody answers',
      [A],
      { A: failed },
      [
        'make sure that w.example.org. 60 IN A 192.0.2.1 is removed at your DNS provider (it cannot be looked up: no name server answered in time)',
      ],
    ],
  ])('%s', (_what, records, byType, lines) => expect(toRemove(records, seen(byType))).toEqual(lines));
});
