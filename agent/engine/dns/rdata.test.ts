import { describe, expect, it } from 'vitest';
import { plainText, presentation, presentationOrSame } from './rdata.ts';

describe('presentation', () => {
  it.each([
    ['A', ' 192.0.2.1 ', '192.0.2.1'],
    ['AAAA', '2001:0DB8:0:0:0:0:0:0010', '2001:db8::10'],
    ['CNAME', 'Front.Example.ORG', 'front.example.org.'],
    ['NS', 'ns1.example.org.', 'ns1.example.org.'],
    ['MX', '010  Mail.example.org', '10 mail.example.org.'],
    ['MX', '0 .', '0 .'],
    ['SRV', '1 2 443 front.example.org', '1 2 443 front.example.org.'],
    ['TXT', 'v=spf1 mx -all', '"v=spf1 mx -all"'],
    ['TXT', '"one" "two"', '"onetwo"'],
    ['TXT', '"say \\"hi\\" \\\\ \\065"', '"say \\"hi\\" \\\\ A"'],
    ['TXT', 'grün', '"gr\\195\\188n"'],
    ['TXT', '"gr\\195\\188n"', '"gr\\195\\188n"'],
    ['TXT', '""', '""'],
    ['TXT', 'a'.repeat(300), `"${'a'.repeat(255)}" "${'a'.repeat(45)}"`],
    ['CAA', '0 ISSUE "letsencrypt.org"', '0 issue "letsencrypt.org"'],
    ['CAA', '128 iodef mailto:a@example.org', '128 iodef "mailto:a@example.org"'],
  ])('%s %s → %s', (type, data, shown) => {
    expect(presentation(type, data)).toBe(shown);
    expect(presentation(type, shown)).toBe(shown);
  });

  it.each([
    ['A', '192.0.2.256'],
    ['A', '2001:db8::1'],
    ['AAAA', '192.0.2.1'],
    ['AAAA', 'fe80::1%eth0'],
    ['CNAME', 'two words'],
    ['CNAME', ''],
    ['NS', 'a..b'],
    ['MX', 'mail.example.org'],
    ['MX', '70000 mail.example.org'],
    ['MX', '10 a b'],
    ['SRV', '1 2 front.example.org'],
    ['TXT', '"open'],
    ['TXT', '"one" two'],
    ['CAA', 'broken'],
    ['CAA', '256 issue "a"'],
    ['SSHFP', '1 1 00'],
  ])('refuses %s %j', (type, data) => {
    expect(() => presentation(type, data)).toThrow(/^cannot use .* as data of a record of type /);
    expect(presentationOrSame(type, data)).toBe(data);
  });
});

it('plainText says what a text record says', () => {
  expect(plainText('"one" "t\\"wo"')).toBe('onet"wo');
  expect(plainText('bare')).toBe('bare');
});
