// Which file services are one place, and which of them nobody has said so of.
import { expect, test } from 'vitest';
import { graphOf, ids, service, snapshot } from '../../test/records.ts';
import { placeOf, servicesAt, sharingUnsaid } from './stores.ts';

const mount = (id: string, serverId: string, instance: string, settings: Record<string, string>) =>
  service(id, serverId, 'file', 'mount', 0, { instance, settings });
const nas = mount('svc-m1', ids.web1, 'nas', { path: '/srv/nas' });
const again = mount('svc-m2', ids.web1, 'again', { path: '/srv/nas/' });
const found = mount('svc-m3', ids.web1, '/srv/nas', {});
const elsewhere = mount('svc-m4', ids.db1, 'nas', { path: '/srv/nas' });
const rooted = service('svc-m5', ids.web1, 'file', 'mesh', 0, { settings: { root: '/srv/nas' } });
const own = service('svc-m6', ids.db1, 'file', 'mesh', 0);
const graph = graphOf({ services: [...snapshot.services, nas, again, found, elsewhere, rooted, own] });

test('a directory of one server is one place, whoever leads there', () => {
  expect(servicesAt(graph, nas)).toEqual([nas, again, found, rooted]);
  expect(servicesAt(graph, elsewhere)).toEqual([elsewhere]);
  expect(placeOf(own)).toBe(`service/${own.id}`);
  expect(sharingUnsaid(graph, nas)).toEqual(['web1/mount:again', 'web1/mount:/srv/nas', 'web1/mesh']);
  expect(sharingUnsaid(graph, elsewhere)).toEqual([]);
});

test('of a share that several servers name it is said; twice on one server it is not meant', () => {
  const shared = (id: string, serverId: string, instance: string, path: string, share = 'nas') =>
    mount(id, serverId, instance, { path, share });
  const one = shared('svc-s1', ids.web1, 'nas', '/srv/nas');
  const two = shared('svc-s2', ids.db1, 'nas', '/mnt/nas');
  const twice = shared('svc-s3', ids.web1, 'twice', '/srv/nas');
  const other = shared('svc-s4', ids.web1, 'other', '/srv/nas', 'another');
  const said = graphOf({ services: [...snapshot.services, one, two, twice, other] });
  expect(placeOf(one)).toBe(placeOf(two));
  expect(sharingUnsaid(said, two)).toEqual([]);
  expect(sharingUnsaid(said, one)).toEqual(['web1/mount:twice', 'web1/mount:other']);
});
