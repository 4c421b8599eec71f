import { describe, expect, it } from 'vitest';
import {
  adjustedRecords,
  changesOf,
  type Endpoint,
  endpointsIn,
  recordsOf,
  targetOf,
  wantedEndpoints,
} from './endpoint.ts';
import { matches } from './provider.ts';

const www = 'www.example.org';
const set = (type: string, ...data: string[]) => ({ name: www, type, ttl: 60, data });
const endpoint = (type: string, targets: string[], more: object = {}): Endpoint => ({
  dnsName: www,
  recordType: type,
  targets,
  recordTTL: 60,
  ...more,
});

it.each([
  ['CNAME', 'a.example.org.', 'a.example.org'],
  ['MX', '10 a.example.org.', '10 a.example.org'],
  ['MX', '0 .', '0 .'],
  ['SRV', '1 2 443 a.example.org.', '1 2 443 a.example.org.'],
  ['TXT', '"a."', '"a."'],
])('targetOf %s %s', (type, data, target) => expect(targetOf(type, data)).toBe(target));

it('takes no TTL for an unknown one', () => {
  expect(recordsOf(endpoint('A', ['192.0.2.1'], { recordTTL: 0 }))[0]?.ttl).toBeUndefined();
  expect(recordsOf(endpoint('A', ['192.0.2.1']))[0]?.ttl).toBe(60);
});

it.each([[{}], ['x'], [[{ dnsName: 'a' }]], [[{ dnsName: 'a', recordType: 'A', targets: [1] }]], [[null]]])(
  'endpointsIn refuses %j',
  (answer) => expect(() => endpointsIn(answer, 'read')).toThrow(/no endpoints/),
);

it('endpointsIn takes null for none, as Go writes it', () => expect(endpointsIn(null, 'read')).toEqual([]));

describe('changesOf', () => {
  it('gives back what the provider has said of the old one', () => {
    const old = endpoint('A', ['192.0.2.1'], { providerSpecific: [{ name: 'proxied', value: 'true' }] });
    const edit = { name: www, type: 'A', before: set('A', '192.0.2.1'), after: set('A', '192.0.2.2') };
    expect(changesOf([edit], [old], 'change')).toEqual({
      create: [],
      updateOld: [old],
      updateNew: [{ ...old, targets: ['192.0.2.2'] }],
      delete: [],
    });
  });

  it('replaces several of one name and type', () => {
    const olds = [endpoint('A', ['192.0.2.1']), endpoint('A', ['192.0.2.2'])];
    const edit = { name: www, type: 'A', before: set('A', '192.0.2.1', '192.0.2.2'), after: set('A', '192.0.2.3') };
    expect(changesOf([edit], olds, 'change')).toMatchObject({ create: [{ targets: ['192.0.2.3'] }], delete: olds });
  });

  it('notices what somebody else did, and leaves routed sets', () => {
    const edit = { name: www, type: 'A', before: set('A', '192.0.2.1'), after: undefined };
    expect(() => changesOf([edit], [], 'change')).toThrow(/somebody else has changed it/);
    const routed = endpoint('A', ['192.0.2.1'], { setIdentifier: 'eu' });
    expect(() => changesOf([edit], [routed], 'change')).toThrow(/routed by weight or place/);
  });
});

it('adjustedRecords keeps the spelling of what the provider leaves alone', () => {
  const records = [{ name: www, type: 'AAAA', ttl: 60, data: '2001:0DB8::1' }];
  expect(adjustedRecords(records, wantedEndpoints(records))).toEqual(records);
  const other = [endpoint('AAAA', ['2001:db8::2', '2001:db8::3'], { recordTTL: 120 })];
  expect(adjustedRecords(records, other).map(({ ttl, data }) => `${ttl} ${data}`)).toEqual([
    '120 2001:db8::2',
    '120 2001:db8::3',
  ]);
});

it.each([
  [{ include: [], exclude: [] }, 'example.org', true],
  [{ include: ['example.org'], exclude: [] }, 'example.org', true],
  [{ include: ['example.org.'], exclude: [] }, 'a.example.org', true],
  [{ include: ['.example.org'], exclude: [] }, 'a.example.org', true],
  [{ include: ['.example.org'], exclude: [] }, 'example.org', false],
  [{ include: ['example.org'], exclude: [] }, 'badexample.org', false],
  [{ include: ['example.org'], exclude: ['a.example.org'] }, 'a.example.org', false],
])('%j and %s: %s', (filter, zone, is) => expect(matches(filter, zone)).toBe(is));
