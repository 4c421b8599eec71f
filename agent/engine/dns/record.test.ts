import { describe, expect, it } from 'vitest';
import { isPublicName } from '../../../shared/name.ts';
import { canonical, checkRecord, inWords } from './record.ts';

describe('canonical', () => {
  it.each([
    ['A', '192.0.2.1', '192.0.2.1'],
    ['AAAA', '2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['AAAA', '0:0:0:0:0:0:0:1', '::1'],
    ['AAAA', '::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['AAAA', 'No-Address', 'no-address'],
    ['AAAA', 'fe80::1%eth0', 'fe80::1%eth0'],
    ['CNAME', 'Front.Example.ORG.', 'front.example.org'],
    ['NS', ' ns1.example.org ', 'ns1.example.org'],
    ['MX', '010  Mail.example.org.', '10 mail.example.org'],
    ['MX', '0 .', '0'],
    ['MX', '0 ', '0'],
    ['SRV', '0 05 443 a.Example.org.', '0 5 443 a.example.org'],
    ['TXT', 'plain Text', 'plain Text'],
    ['TXT', '"one" "two"', 'onetwo'],
    ['TXT', '"v=DKIM1; p=Ab\\"c\\\\d\\065"', 'v=DKIM1; p=Ab"c\\dA'],
    ['TXT', '"open', '"open'],
    ['TXT', '""', ''],
    ['CAA', '0 ISSUE "ca.example; account=1"', '0 issue ca.example; account=1'],
    ['CAA', '128 iodef mailto:a@example.org', '128 iodef mailto:a@example.org'],
    ['CAA', 'broken', 'broken  '],
  ])('%s %s → %s', (type, data, plain) => {
    expect(canonical(type, data)).toBe(plain);
    expect(canonical(type, plain)).toBe(plain);
  });
});

describe('isPublicName', () => {
  it.each([
    ['example.org', true],
    ['www.example.com', true],
    ['notlocalhost.org', true],
    ['mytest.net', true],
    ['org', false],
    ['localhost', false],
    ['a.localhost', false],
    ['a.b.test', false],
    ['a.invalid', false],
    ['a.example', false],
    ['printer.local', false],
    ['db.internal', false],
    ['x.home.arpa', false],
    ['x.arpa', true],
    ['a.onion', false],
    ['a.alt', false],
  ])('%s: %s', (name, is) => expect(isPublicName(name)).toBe(is));
});

describe('checkRecord', () => {
  const record = (name: string, data = '192.0.2.1') => ({ name, type: 'A', ttl: 60, data });

  it.each(['a.example.org', '*.example.org', '_acme-challenge.example.org', 'xn--bcher-kva.example.org'])(
    'accepts %s',
    (name) => expect(() => checkRecord(record(name))).not.toThrow(),
  );

  it.each([
    '',
    '.',
    'a.',
    '-a.example.org',
    'a-.example.org',
    'A.example.org',
    'a b.example.org',
    'a*.example.org',
    '*',
  ])('refuses %j', (name) => expect(() => checkRecord(record(name))).toThrow(/^cannot use a record of /));

  it('names no more of a name than anybody can read', () => {
    expect(() => checkRecord(record('a'.repeat(100_000)))).toThrow(/^.{1,500}$/);
  });
});

describe('inWords', () => {
  it('is a line of a zone file, with the name as people read it', () => {
    const record = { name: 'xn--bcher-kva.example.org', type: 'A', ttl: 60, data: '192.0.2.1' };
    expect(inWords(record)).toBe('xn--bcher-kva.example.org. 60 IN A 192.0.2.1 (bücher.example.org)');
    expect(inWords({ ...record, name: 'a.example.org' })).toBe('a.example.org. 60 IN A 192.0.2.1');
  });
});
