import { describe, expect, it } from 'vitest';
import {
  adjustedRecords,
  changesOf,
  type Endpoint,
  endpointsIn,
  inOrder,
  notDone,
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

it.each([
  [{}],
  ['x'],
  [[{ recordType: 'A', targets: [] }]],
  [[{ dnsName: 'a', recordType: 'A', targets: [1] }]],
  [[null]],
])('endpointsIn refuses %j', (answer) => expect(() => endpointsIn(answer, 'read')).toThrow(/no endpoints/));

it('endpointsIn takes null for none, and what is left out for empty, as Go writes it', () => {
  expect(endpointsIn(null, 'read')).toEqual([]);
  const told = [
    { dnsName: 'a', recordType: 'A' },
    { dnsName: 'b', recordType: 'TXT', targets: null, more: 1 },
  ];
  expect(endpointsIn(told, 'read')).toEqual([
    { dnsName: 'a', recordType: 'A', targets: [] },
    { dnsName: 'b', recordType: 'TXT', targets: [], more: 1 },
  ]);
});

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

  it('speaks of a set as one endpoint, also where the provider shows several', () => {
    const olds = [endpoint('A', ['192.0.2.1'], { labels: { a: 'b' } }), endpoint('A', ['192.0.2.2'])];
    const old = { ...olds[0], targets: ['192.0.2.1', '192.0.2.2'] };
    const before = set('A', '192.0.2.1', '192.0.2.2');
    const edit = { name: www, type: 'A', before, after: set('A', '192.0.2.3') };
    expect(changesOf([edit], olds, 'change')).toEqual({
      ...{ create: [], delete: [] },
      updateOld: [old],
      updateNew: [{ ...old, targets: ['192.0.2.3'] }],
    });
    const gone = { ...edit, after: undefined };
    expect(changesOf([gone], olds, 'change')).toEqual({ create: [], updateOld: [], updateNew: [], delete: [old] });
  });

  it('keeps no TTL that is not wanted any more', () => {
    const edit = {
      name: www,
      type: 'A',
      before: set('A', '192.0.2.1'),
      after: { ...set('A', '192.0.2.2'), ttl: undefined },
    };
    const { updateNew } = changesOf([edit], [endpoint('A', ['192.0.2.1'])], 'change');
    expect(updateNew[0]).not.toHaveProperty('recordTTL');
  });

  it('notices what somebody else did, and leaves routed sets', () => {
    const edit = { name: www, type: 'A', before: set('A', '192.0.2.1'), after: undefined };
    expect(() => changesOf([edit], [], 'change')).toThrow(/somebody else has changed it/);
    const routed = endpoint('A', ['192.0.2.1'], { setIdentifier: 'eu' });
    expect(() => changesOf([edit], [routed], 'change')).toThrow(/routed by weight or place/);
  });
});

describe('inOrder', () => {
  const [a, txt] = [endpoint('A', ['192.0.2.1']), endpoint('TXT', ['"x"'])];
  it('pairs what was adjusted with what was wanted', () => {
    const adjusted = [txt, { ...a, dnsName: 'WWW.example.org.', recordTTL: 300 }];
    expect(inOrder([a, txt], adjusted, 'change').map(({ recordTTL }) => recordTTL)).toEqual([300, 60]);
  });
  it.each([
    ['less', [a], /leaves some of the records out/],
    ['another type', [a, endpoint('SPF', ['"x"'])], /would make other records/],
    ['more', [a, txt, endpoint('AAAA', ['2001:db8::1'])], /would make other records/],
  ])('refuses %s', (_, adjusted, why) => expect(() => inOrder([a, txt], adjusted, 'change')).toThrow(why));
});

describe('notDone', () => {
  const none = { create: [], updateOld: [], updateNew: [], delete: [] };
  const [a, mx] = [endpoint('A', ['192.0.2.2', '192.0.2.1']), endpoint('MX', ['10 mail.example.org'])];
  it.each([
    [
      'what was made and is there',
      { ...none, create: [a] },
      [endpoint('A', ['192.0.2.1'], { recordTTL: 5 }), endpoint('A', ['192.0.2.2'])],
      undefined,
    ],
    ['what was made and is not', { ...none, create: [a, mx] }, [a], `MX of ${www}`],
    [
      'what was changed and is not',
      { ...none, updateNew: [mx] },
      [endpoint('MX', ['20 mail.example.org.'])],
      `MX of ${www}`,
    ],
    ['another spelling', { ...none, updateNew: [mx] }, [endpoint('MX', ['10 Mail.example.org.'])], undefined],
    ['what was removed and is there', { ...none, delete: [a] }, [endpoint('A', ['192.0.2.1'])], `A of ${www}`],
    ['what was removed and is gone', { ...none, delete: [a] }, [mx], undefined],
  ])('tells of %s', (_, told, shown, left) => expect(notDone(told, shown)).toBe(left));
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
