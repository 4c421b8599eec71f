// Which head takes the writes of a site, and who follows.
import { describe, expect, test } from 'vitest';
import { graphOf, snapshot } from '../../test/records.ts';
import type { HeadRecord, ServiceRecord, SiteRecord } from '../store/model.ts';
import { handOver, mainWebServer, readersOf, requireWriter, spreadFor, writerOf } from './spread.ts';

const [nginx] = snapshot.services as [ServiceRecord];
const [platform] = snapshot.platforms;
const [plain] = snapshot.sites as [SiteRecord];
const heads = [1, 2, 3].map((n): ServiceRecord => ({ ...nginx, id: `svc-head${n}`, instance: `h${n}` }));
const front = (share: string): ServiceRecord => ({
  ...{ ...nginx, id: 'svc-front', engine: 'cluster', instance: 'pool' },
  settings: share === '' ? {} : { share },
});
interface Has {
  readonly share?: string;
  readonly states?: readonly HeadRecord['state'][];
  readonly app?: 'wordpress' | 'static';
  readonly sites?: readonly SiteRecord[];
}
const siteOf = (n: number, spread: SiteRecord['spread']): SiteRecord => ({
  ...{ ...plain, id: `site-${n}`, name: `s${n}.example.org`, aliases: [], bindings: { http: 'svc-front' }, spread },
});
const by = (writer: string, kept: readonly string[] = []) => ({ writer, copies: [], kept });
function graphWith({ share = '', states = ['active', 'active', 'active'], app = 'wordpress', sites = [] }: Has) {
  if (platform === undefined) throw new Error('there is no platform');
  return graphOf({
    services: [...snapshot.services, ...heads, front(share)],
    platforms: [{ ...platform, app, serviceId: 'svc-front' }],
    heads: states.map((state, i) => ({
      ...{ id: `head-${i + 1}`, clusterId: 'svc-front', serviceId: `svc-head${i + 1}`, state, weight: 1 },
    })),
    sites,
  });
}

describe('the head that takes writes', () => {
  const noted = siteOf(1, by('svc-head2'));
  test.each([
    ['is the one that is recorded', {}, noted, 'svc-head2'],
    ['also while it is out', { states: ['active', 'out', 'active'] }, noted, 'svc-head2'],
    ['is another when that one leaves', { states: ['active', 'leaving', 'active'] }, noted, 'svc-head1'],
    ['is the first where none is recorded', {}, siteOf(1, null), 'svc-head1'],
    ['is nobody where all see the same files', { share: 'common' }, noted, undefined],
    ['is nobody where nobody leaves any', { app: 'static' }, noted, undefined],
  ] as const)('%s', (_, has, site, id) => {
    const graph = graphWith({ ...has, sites: [site] });
    expect(writerOf(graph, site)?.id).toBe(id);
    if (id !== undefined) expect(mainWebServer(graph, site).id).toBe(id);
  });

  test('of a new site has the fewest, and gets requests', () => {
    const sites = [siteOf(1, by('svc-head1')), siteOf(2, by('svc-head2'))];
    const graph = graphWith({ sites });
    expect(spreadFor(graph, graph.service('svc-front'))?.writer).toBe('svc-head3');
    const less = graphWith({ sites, states: ['draining', 'active', 'out'] });
    expect(spreadFor(less, less.service('svc-front'))?.writer).toBe('svc-head2');
    const shared = graphWith({ share: 'common' });
    expect(spreadFor(shared, shared.service('svc-front'))).toBeNull();
  });
});

test('its files go to heads that are known to the front, but to none that keeps what is nowhere else', () => {
  const site = siteOf(1, by('svc-head1', ['svc-head2']));
  const graph = graphWith({ sites: [site] });
  expect(readersOf(graph, site).map(({ id }) => id)).toEqual(['svc-head3']);
  expect(readersOf(graph, site, true).map(({ id }) => id)).toEqual(['svc-head2', 'svc-head3']);
  const others = graphWith({ sites: [site], states: ['active', 'leaving', 'joining'] });
  expect(readersOf(others, site, true)).toEqual([]);
});

describe('who goes hands its sites over', () => {
  const sites = [1, 2, 3].map((n) => siteOf(n, by('svc-head1')));
  test('evenly', () => {
    const graph = graphWith({ sites: [...sites, siteOf(4, by('svc-head2'))] });
    const roles = handOver(graph, graph.service('svc-front'), graph.service('svc-head1'));
    expect(roles.map(({ site, to }) => [site.id, to.id])).toEqual([
      ['site-1', 'svc-head3'],
      ['site-2', 'svc-head2'],
      ['site-3', 'svc-head3'],
    ]);
  });

  test('to nobody who keeps files of that site, or gets no requests', () => {
    const one = siteOf(1, by('svc-head1', ['svc-head2']));
    const graph = graphWith({ sites: [one], states: ['active', 'active', 'out'] });
    expect(() => handOver(graph, graph.service('svc-front'), graph.service('svc-head1'))).toThrow(/no other head/);
    expect(handOver(graph, graph.service('svc-front'), graph.service('svc-head2'))).toEqual([]);
  });
});

test.each([
  ['svc-head2', {}, /given up/],
  ['svc-head3', { states: ['active', 'active', 'out'] }, /it is out; first: aegir cluster activate/],
  ['svc-front', {}, /no head/],
  ['svc-head3', { share: 'common' }, /same files/],
] as const)('%s cannot take writes: %j', (to, has, why) => {
  const site = siteOf(1, by('svc-head1', ['svc-head2']));
  const graph = graphWith({ ...has, sites: [site] });
  expect(() => requireWriter(graph, site, graph.service(to))).toThrow(why);
});
