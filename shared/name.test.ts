import { describe, expect, test } from 'vitest';
import { absolutePath, displayName, displayNames, hostName, mailAddress, plainName } from './name.ts';

describe('hostName', () => {
  test.each([
    ['Example.ORG', 'example.org'],
    ['example.org.', 'example.org'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['demo.localhost', 'demo.localhost'],
    ['例え.テスト', 'xn--r8jz45g.xn--zckzah'],
  ])('%s becomes %s', (from, to) => expect(hostName(from)).toBe(to));

  test.each([
    '',
    '.',
    'a..b',
    '-a.example',
    'a-.example',
    'a b.example',
    'a/b',
    'a:80',
    'x@y.example',
    '127.0.0.1',
    '1.2',
    '*.example',
    'a_b.example',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(127)}toolong`,
    'a\nb.example',
    '[::1]',
    'a;b.example',
    "a'b.example",
    'a{b.example',
  ])('refuses %j', (text) => expect(() => hostName(text)).toThrow(/cannot use/));
});

test.each(['relative', '/a/../b', '/a//b', '/a/./b', '/a\nb', '', '/'])('absolutePath refuses %j', (text) => {
  expect(() => absolutePath(text, 'root')).toThrow(/cannot use/);
});

test('absolutePath drops a slash at the end', () => expect(absolutePath('/srv/www/', 'root')).toBe('/srv/www'));

test.each(['', '-a', '.a', 'a b', 'a'.repeat(64), 'a/b', 'ä'])('plainName refuses %j', (text) => {
  expect(() => plainName(text, 'name')).toThrow(/cannot use/);
});

test.each(['a', 'a@', '@b', 'a@b c', 'a@-b', 'a\n@b'])('mailAddress refuses %j', (text) => {
  expect(() => mailAddress(text)).toThrow(/cannot use/);
});

test.each([
  ['xn--bcher-kva.example', 'bücher.example'],
  ['www.example.org', 'www.example.org'],
  ['web1/mount:nas', 'web1/mount:nas'],
  ['web1/mount:/srv/xn--bcher-kva', 'web1/mount:/srv/xn--bcher-kva'],
])('displayName of %s', (ascii, shown) => expect(displayName(ascii)).toBe(shown));

test.each([
  [
    'cannot move www.xn--mnchen-3ya.de: there is xn--mnchen-3ya.de.',
    'cannot move www.münchen.de: there is münchen.de.',
  ],
  ['(xn--mnchen-3ya.de)', '(münchen.de)'],
  [
    'visit http://xn--mnchen-3ya.de/xn--a and web1/xn--mnchen-3ya',
    'visit http://xn--mnchen-3ya.de/xn--a and web1/xn--mnchen-3ya',
  ],
  ['admin@xn--mnchen-3ya.de', 'admin@xn--mnchen-3ya.de'],
  ['example.org', 'example.org'],
])('a text for people: %s', (text, shown) => expect(displayNames(text)).toBe(shown));
