import { describe, expect, it } from 'vitest';
import { contentsOf } from './rrset.ts';
import { apexDrift, checkZone, mailbox, nextSerial, serialOf, soaData } from './soa.ts';

const zone = {
  zoneId: 'zone-0000000000000001',
  name: 'example.org',
  nameservers: ['ns2.example.org', 'ns1.example.net'],
  contact: 'Dns.Admin@Example.org',
  ttl: 3600,
  negativeTtl: 300,
  dnssec: false,
};
const SOA = 'ns2.example.org. Dns\\.Admin.example.org. 7 7200 3600 1209600 300';
const at = (type: string, data: string, ttl = 3600) => ({ name: 'example.org', type, ttl, data });

it('writes an SOA', () => {
  expect(soaData(zone, 7)).toBe(SOA);
  expect(serialOf(SOA)).toBe(7);
  expect(mailbox('a@b.c')).toBe('a.b.c.');
  expect(nextSerial(7)).toBe(8);
  expect(nextSerial(4_294_967_295)).toBe(1);
});

describe('apexDrift', () => {
  const ns = [at('NS', 'ns1.example.net.'), at('NS', 'ns2.example.org.')];
  it.each([
    ['all as it should be', [at('SOA', SOA), ...ns], []],
    ['another serial, other case', [at('SOA', SOA.replace(' 7 ', ' 99 ').replace('ns2', 'NS2')), ...ns], []],
    ['another contact', [at('SOA', SOA.replace('Dns', 'x')), ...ns], ['SOA']],
    ['another minimum', [at('SOA', SOA.replace(/300$/, '301')), ...ns], ['SOA']],
    [
      'other TTLs',
      [at('SOA', SOA, 60), at('NS', 'ns1.example.net.', 60), at('NS', 'ns2.example.org.', 60)],
      ['SOA', 'NS'],
    ],
    ['a server too few', [at('SOA', SOA), at('NS', 'ns2.example.org.')], ['NS']],
    ['a server too many', [at('SOA', SOA), ...ns, at('NS', 'ns3.example.net.')], ['NS']],
    ['nothing', [], ['SOA', 'NS']],
  ])('%s', (_what, records, types) => {
    const { words } = apexDrift(zone, zone.nameservers, contentsOf(records));
    expect(words.map((each) => each.split(' ')[0])).toEqual(types);
  });
});

it.each([
  [{ name: 'Example.org' }],
  [{ name: 'a b' }],
  [{ nameservers: [] }],
  [{ nameservers: ['ns1; a'] }],
  [{ contact: 'nobody' }],
  [{ contact: 'a b@c' }],
])('refuses %j', (part) => {
  expect(() => checkZone({ ...zone, ...part })).toThrow(/^cannot (make zone|use) /);
});
