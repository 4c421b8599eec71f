// Which bindings of a site may move to another service without its data.
import { describe, expect, test } from 'vitest';
import { graphOf, ids, platform, server, service, site, snapshot } from '../../test/records.ts';
import type { PlatformRecord, ServiceRecord, SiteRecord, ZoneRecord } from '../store/model.ts';
import { platformBehind } from './cluster-rules.ts';
import { requireFittingDns } from './zone-rules.ts';

const fronts = [server('srv-f1', 'front1', '192.0.2.31'), server('srv-f2', 'front2', '192.0.2.32')] as const;
const front = (id: string, serverId: string, instance: string, share = 'common'): ServiceRecord =>
  service(id, serverId, 'http', 'cluster', 80, { instance, settings: { share }, origin: 'declared' });
const one = front('svc-f1', 'srv-f1', 'one');
const two = front('svc-f2', 'srv-f2', 'two');
const second = service('svc-n2', ids.db1, 'http', 'nginx', 80);
const code: PlatformRecord = { ...platform, serviceId: one.id };
const again: PlatformRecord = { ...platform, id: 'plat-2', name: 'again', serviceId: two.id };
const moving: SiteRecord = { ...site, bindings: { ...site.bindings, http: one.id } };
const head = (clusterId: string, serviceId: string) => ({
  ...{ id: `head-${clusterId}-${serviceId}`, clusterId, serviceId, state: 'active' as const, weight: 1 },
});

function graphWith(to: ServiceRecord, more: { heads?: readonly string[]; platforms?: readonly PlatformRecord[] } = {}) {
  return graphOf({
    servers: [...snapshot.servers, ...fronts],
    services: [...snapshot.services, second, one, to],
    platforms: more.platforms ?? [code, again],
    sites: [moving],
    heads: [head(one.id, ids.nginx), ...(more.heads ?? [ids.nginx]).map((id) => head(to.id, id))],
  });
}

describe('another front', () => {
  test('with the same heads, files and code takes the site', () => {
    expect(platformBehind(graphWith(two), moving, two)).toEqual(again);
  });

  test.each<readonly [string, ServiceRecord, Parameters<typeof graphWith>[1], RegExp]>([
    ['whose heads are others', two, { heads: [second.id] }, /its heads \(db1\/nginx\) are not those.*\(web1\/nginx\)/],
    ['with one head more', two, { heads: [ids.nginx, second.id] }, /are not those that have the site/],
    ['without heads', two, { heads: [] }, /its heads \(none\)/],
    ['whose heads share other files', front(two.id, 'srv-f2', 'two', 'else'), {}, /share other files/],
    ['on the same server', front(two.id, 'srv-f1', 'two'), {}, /front1\/cluster:one is on the same server/],
    ['without the code', two, { platforms: [code] }, /first: aegir platform add NAME \/usr\/share\/wordpress/],
    ['whose code is not verified', two, { platforms: [code, { ...again, state: 'new' }] }, /no verified platform/],
    ['that is none', second, {}, /it is no front of a cluster/],
  ])('%s is refused', (_, to, more, why) => {
    expect(() => platformBehind(graphWith(to, more), moving, to)).toThrow(why);
  });

  test('is none for a site whose files are on one web server', () => {
    expect(() => platformBehind(graphWith(two), site, two)).toThrow(
      'cannot rebind example.org to front2/cluster:two: its files are on web1/nginx, and only fronts move without them',
    );
  });
});

describe('another dns service', () => {
  const bind = service('svc-b1', ids.db1, 'dns', 'bind', 53);
  const zone = (name: string, serviceId: string): ZoneRecord => ({
    ...{ id: `zone-${name}`, name, serviceId, state: 'active', nameservers: [], contact: '', ttl: 60, lowTtl: 60 },
    ...{ ttlPolicy: 'normal', leadSeconds: 0, negativeTtl: 60, dnssec: false, createdAt: 1 },
  });
  const graph = (...zones: readonly ZoneRecord[]) => graphOf({ services: [...snapshot.services, bind], zones });

  test('takes the site when it holds the zones of its names, or when a person sets them', () => {
    expect(() => requireFittingDns(graph(zone('example.org', bind.id)), site, bind)).not.toThrow();
    expect(() => requireFittingDns(graph(), site, graph().service(ids.dns))).not.toThrow();
  });

  test("does not take one whose certificate is proved by records, into a person's hands", () => {
    const proved = { ...site, web: { ...site.web, https: 'acme-dns' as const } };
    const held = graph(zone('example.org', bind.id));
    expect(() => requireFittingDns(held, proved, held.service(ids.dns))).toThrow(/proved by records.*--https acme$/);
  });

  test('does not take it back while somebody has declared an address for its name', () => {
    const held = graphOf({
      ...{ services: [...snapshot.services, bind], zones: [zone('example.org', bind.id)] },
      records: [
        { id: 'rec-1', zoneId: 'zone-example.org', name: 'example.org', type: 'A', ttl: null, data: '192.0.2.1' },
      ],
    });
    expect(() => requireFittingDns(held, { ...site, dnsByHand: true }, bind)).toThrow(
      /aegir record remove example\.org A/,
    );
  });

  test.each<readonly [string, readonly ZoneRecord[], RegExp]>([
    ['without a zone', [], /no zone of it holds example\.org.*aegir zone add/],
    ['without the zone of one name', [zone('www.example.org', bind.id)], /no zone of it holds example\.org/],
    ['whose zone is elsewhere', [zone('example.org', ids.dns)], /zone example\.org is on web1\/null/],
  ])('%s is refused', (_, zones, why) => {
    expect(() => requireFittingDns(graph(...zones), site, bind)).toThrow(why);
  });
});
