import { expect, test } from 'vitest';
import { recordData, recordName, recordType } from './record-data.ts';

test.each([
  ['A', ' 192.0.2.1 ', '192.0.2.1'],
  ['AAAA', '2001:0DB8:0:0:0:0:0:0001', '2001:db8::1'],
  ['AAAA', '::ffff:192.0.2.1', '::ffff:c000:201'],
  ['CNAME', 'Front.Example.ORG.', 'front.example.org'],
  ['CNAME', 'bücher.example', 'xn--bcher-kva.example'],
  ['NS', 'ns1.example.org', 'ns1.example.org'],
  ['MX', '10  Mail.example.org.', '10 mail.example.org'],
  ['MX', '0 .', '0 .'],
  ['SRV', '1 2 443 Front.example.org', '1 2 443 front.example.org'],
  ['CAA', '0 ISSUE letsencrypt.org', '0 issue "letsencrypt.org"'],
  ['CAA', '128 issuewild ";"', '128 issuewild ";"'],
  ['TXT', 'v=spf1 mx -all', '"v=spf1 mx -all"'],
  ['TXT', '"one" "two"', '"onetwo"'],
  ['TXT', 'say "hi" \\o/', '"say \\"hi\\" \\\\o/"'],
  ['TXT', 'x'.repeat(300), `"${'x'.repeat(255)}" "${'x'.repeat(45)}"`],
] as const)('%s %s', (type, text, data) => {
  expect(recordData(type, text)).toBe(data);
  expect(recordData(type, data)).toBe(data);
});

test.each([
  ['A', '192.0.2.256', /IPv4/],
  ['A', '1.2.3', /IPv4/],
  ['A', '01.2.3.4.', /IPv4/],
  ['A', '01.2.3.4', /IPv4/],
  ['A', '192.0.2.00', /IPv4/],
  ['A', '192.0.02.1', /IPv4/],
  ['A', '2001:db8::1', /IPv4/],
  ['AAAA', '192.0.2.1', /IPv6/],
  ['AAAA', 'fe80::1%eth0', /IPv6/],
  ['AAAA', '::1]/x[', /IPv6/],
  ['CNAME', '192.0.2.1', /number/],
  ['CNAME', 'a b', /which no host name has/],
  ['MX', 'mail.example.org', /preference/],
  ['MX', '70000 mail.example.org', /0 to 65535/],
  ['SRV', '1 2 www.example.org', /port/],
  ['SRV', '1 2 -3 www.example.org', /0 to 65535/],
  ['CAA', '256 issue "x"', /flags/],
  ['CAA', 'issue x', /flags/],
  ['TXT', 'zwölf', /ASCII/],
  ['TXT', 'x'.repeat(2049), /2048/],
  ['TXT', 'one\nb.example.org. IN A 192.0.2.66', /one line/],
  ['TXT', '', /one line/],
] as const)('%s %s is refused', (type, text, why) => {
  expect(() => recordData(type, text)).toThrow(why);
});

test.each([
  ['WWW.example.org', 'www.example.org'],
  ['www.example.org.', 'www.example.org'],
  ['@', 'example.org'],
  ['*.example.org', '*.example.org'],
  ['_dmarc.Bücher.example', '_dmarc.xn--bcher-kva.example'],
  ['_443._TCP.www.example.org', '_443._tcp.www.example.org'],
])('name %s', (text, name) => {
  expect(recordName(text, 'example.org')).toBe(name);
});

test.each(['', '.', 'a..b', '_.example.org', 'a._-.example org', '*.*.example.org', 'a_b.example.org', 'x\\046y.org'])(
  'name %j is refused',
  (text) => {
    expect(() => recordName(text, 'example.org')).toThrow(/cannot use/);
  },
);

test('types', () => {
  expect(recordType('mx')).toBe('MX');
  expect(() => recordType('SOA')).toThrow(/there are A, AAAA, CNAME/);
});
