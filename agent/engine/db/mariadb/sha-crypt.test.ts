import { expect, it } from 'vitest';
import { cachingSha2, isCachingSha2Of, shaCrypt } from './sha-crypt.ts';

// As `openssl passwd -5 -salt saltstring` makes them.
it.each([
  ['Hello world!', '5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'],
  ['abc', 'tDHA0KPsYQ8V.LDB1/fgW7cvROod5ZajSrx1tZU2JG9'],
  ['x', '8lNOPUYH/6hNVwI72WGU4WW1KQqblnIzRCd9nWOKs5A'],
  ['a much longer password that is over thirty-two bytes long, indeed', '.HB.W9OELH.J1t64VXEqLq/yPSYiupS2VGUI0BPFsT6'],
])('of %j is what another implementation makes', (password, digest) => {
  expect(shaCrypt(Buffer.from(password), Buffer.from('saltstring'), 5000)).toBe(digest);
});

// The example that hashcat gives for its mode 7401, made by a MySQL server: a salt of any bytes.
const HASHCAT = `${Buffer.from('$A$005$').toString('hex')}F9CC98CE08892924F50A213B6BC571A2C11778C5625479393559393965414D45316477456B484F41316E64484742577A2E3162785353526B7554584647562F`;

it('of a server is known by its password', () => {
  expect(isCachingSha2Of(HASHCAT, 'hashcat')).toBe(true);
  expect(isCachingSha2Of(HASHCAT, 'Hashcat')).toBe(false);
});

it.each(['password', '', 'é🗝', 'x'.repeat(100)])(
  'of %j is made with a salt of its own, and known again',
  (password) => {
    const [one, another] = [cachingSha2(password), cachingSha2(password)];
    expect(one).not.toBe(another);
    expect(one).toMatch(/^\$A\$005\$[./0-9A-Za-z]{63}$/);
    expect(isCachingSha2Of(Buffer.from(one).toString('hex'), password)).toBe(true);
    expect(isCachingSha2Of(Buffer.from(one).toString('hex'), `${password}x`)).toBe(false);
  },
);

it.each(['', '2A', Buffer.from('$A$FFF$').toString('hex'), HASHCAT.replace('2441', '2442'), `${HASHCAT}41`])(
  'is not %j',
  (stored) => expect(isCachingSha2Of(stored, 'hashcat')).toBe(false),
);
