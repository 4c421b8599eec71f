import { expect, test } from 'vitest';
import { graphOf, ids, service, site, snapshot } from '../../test/records.ts';
import { planAddZone } from '../plan/change-zone.ts';
import { siteRecordSets } from '../plan/site-records.ts';
import type { DnsRecordRecord, ZoneRecord } from '../store/model.ts';
import {
  requireEmptyZone,
  requireFreeRecords,
  requireProvable,
  requireRecord,
  sitesByHand,
  sitesInZone,
} from './zone-rules.ts';

const zone = (id: string, name: string): ZoneRecord => ({
  ...{ id, name, serviceId: ids.dns, state: 'active', nameservers: [], contact: '', ttl: 60, lowTtl: 60 },
  ...{ ttlPolicy: 'normal', leadSeconds: 0, negativeTtl: 60, dnssec: false, createdAt: 1 },
});
const org = zone('zone-0123456789abcde1', 'example.org');
const sub = zone('zone-0123456789abcde2', 'sub.example.org');
const record = (name: string, type: string, data = 'x', zoneId = org.id): DnsRecordRecord => ({
  ...{ id: 'rec-0123456789abcde1', zoneId, name, type, ttl: null, data },
});
const graph = graphOf({
  zones: [org, sub],
  records: [record('mail.example.org', 'A'), record('alias.example.org', 'CNAME'), record('shop.example.org', 'AAAA')],
});

test('a name is in the nearest zone', () => {
  expect(graph.zoneOf('example.org')).toBe(org);
  expect(graph.zoneOf('a.b.example.org')).toBe(org);
  expect(graph.zoneOf('a.sub.example.org')).toBe(sub);
  expect(graph.zoneOf('sub.example.org')).toBe(sub);
  expect(graph.zoneOf('xexample.org')).toBeUndefined();
  expect(graph.zoneOf('org')).toBeUndefined();
});

test.each([
  ['www.example.net', 'A', /not in that zone/],
  ['xexample.org', 'A', /not in that zone/],
  ['a.sub.example.org', 'A', /is in zone sub.example.org/],
  ['example.org', 'NS', /aegir zone set/],
  ['example.org', 'CNAME', /apex/],
  ['mail.example.org', 'A', /is there already/],
  ['mail.example.org', 'CNAME', /stands alone/],
  ['alias.example.org', 'TXT', /stands alone/],
  ['example.org', 'A', /site example.org has that name/],
  ['www.example.org', 'AAAA', /site example.org has that name/],
] as const)('%s %s is refused', (name, type, why) => {
  expect(() => requireRecord(graph, org, record(name, type))).toThrow(why);
});

test.each([
  ['example.org', 'MX'],
  ['example.org', 'TXT'],
  ['www.example.org', 'CAA'],
  ['mail.example.org', 'AAAA'],
  ['*.example.org', 'A'],
  ['sub2.example.org', 'NS'],
])('%s %s is fine', (name, type) => {
  expect(() => requireRecord(graph, org, record(name, type))).not.toThrow();
});

test('names that a declared address has are no names for a site', () => {
  expect(() => requireFreeRecords(graph, ['shop.example.org'])).toThrow(/aegir record remove shop.example.org AAAA/);
  expect(() => requireFreeRecords(graph, ['free.example.org', 'shop.example.net'])).not.toThrow();
});

test('a zone with names of sites stays', () => {
  expect(sitesInZone(graph, org)).toEqual([site]);
  expect(() => requireEmptyZone(graph, org)).toThrow(/names of example.org are in it/);
  expect(() => requireEmptyZone(graph, sub)).not.toThrow();
});

test('a site that a person looks after has nothing in our zones', () => {
  const byHand = { ...site, dnsByHand: true };
  const held = graphOf({ zones: [org], sites: [byHand] });
  expect(sitesInZone(held, org)).toEqual([]);
  expect(sitesByHand(held, org)).toEqual([byHand]);
  expect(planAddZone(held, org).warnings.join()).toMatch(
    /^Names of example\.org .*site rebind example\.org --dns web1\/null/,
  );
  expect(planAddZone(held, org).steps.map(({ kind }) => kind)).not.toContain('dns.publish');
  expect(() => requireEmptyZone(held, org)).not.toThrow();
  expect(() => requireRecord(held, org, record('www.example.org', 'A'))).not.toThrow();
  expect(siteRecordSets(held, byHand).map(({ zone, names }) => [zone, names])).toEqual([
    ['', ['example.org', 'www.example.org']],
  ]);
});

const named = (name: string, ...aliases: string[]) => ({ ...site, name, aliases });

test('names are proved by DNS in zones of ours that an engine sets', () => {
  const bind = service('svc-b1', ids.db1, 'dns', 'bind', 53);
  const zones = [{ ...org, serviceId: bind.id }, zone('zone-0123456789abcde3', 'example.net')];
  const held = graphOf({ services: [...snapshot.services, bind], zones });
  expect(() => requireProvable(held, named('example.org', 'a.b.example.org'))).not.toThrow();
  expect(() => requireProvable(held, named('example.org', 'example.com'))).toThrow(
    /no zone of ours holds it.*aegir zone add/,
  );
  expect(() => requireProvable(held, named('www.example.net'))).toThrow(/its records are set by hand.*--https acme/);
});
