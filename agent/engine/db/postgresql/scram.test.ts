import { describe, expect, it } from 'vitest';
import { isOfPassword, isScram, scramVerifier } from './scram.ts';

/** RFC 7677, section 3: its salt and password; the keys as PostgreSQL 15 makes them of these. */
const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
const PENCIL =
  'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=';

describe('a verifier', () => {
  it('is that of RFC 7677', () => expect(scramVerifier('pencil', SALT)).toBe(PENCIL));

  it('has a salt of its own each time, and is of its password all the same', () => {
    const [one, another] = [scramVerifier('pencil'), scramVerifier('pencil')];
    expect(one).not.toBe(another);
    for (const each of [one, another, PENCIL]) {
      expect(isScram(each)).toBe(true);
      expect(isOfPassword(each, 'pencil')).toBe(true);
      expect(isOfPassword(each, 'Pencil')).toBe(false);
    }
  });

  it.each([
    '',
    'md532e12f215ba27cb750c9e093ce4b5127',
    'SCRAM-SHA-256$0:W22ZaJ0SNY7soEsUEjb6gQ==$YQ==:YQ==',
    'SCRAM-SHA-256$9999999:W22ZaJ0SNY7soEsUEjb6gQ==$YQ==:YQ==',
    `${PENCIL}x`,
    PENCIL.replace('wfPL', 'wfPl'),
    PENCIL.replace('WG5d', 'WG5D'),
  ])('of %j is none of the password', (stored) => expect(isOfPassword(stored, 'pencil')).toBe(false));

  it.each(['\u00a0', 'ﬁ', 'a\u00ad', 'e\u0301', '\u200b'])(
    'is not made of %j, which the server would change',
    (text) => {
      expect(() => scramVerifier(`secret${text}`)).toThrow(/characters PostgreSQL would change/);
      expect(() => scramVerifier(`secret${text}`)).not.toThrow(/secret/);
    },
  );

  it.each(['é', '🗝', "a'b\\c$"])('is made of %j', (text) => {
    expect(isOfPassword(scramVerifier(text), text)).toBe(true);
  });
});
