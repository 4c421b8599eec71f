// Which file services are one place, and which of them nobody has said so of.
import { expect, test } from 'vitest';
import { graphOf, ids, service, snapshot } from '../../test/records.ts';
import type { ServiceRecord } from '../store/model.ts';
import { bytesAt, placeOf, servicesAt, sharingUnsaid } from './stores.ts';

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

test.each<[string, string, Record<string, string>, Record<string, string>, boolean]>([
  ['mount', 'the path', { path: '/srv/nas' }, { path: '/srv/other' }, true],
  ['mount', 'no path, where none was detected', { path: '/srv/nas' }, {}, true],
  ['mount', 'a slash', { path: '/srv/nas' }, { path: '/srv/nas/' }, false],
  ['mount', 'the share, which is a name', { path: '/srv/nas' }, { path: '/srv/nas', share: 'nas' }, false],
  ['mount', 'quota and encryption', { path: '/srv/nas' }, { path: '/srv/nas', quota: '1G', encrypt: 'true' }, false],
  ['mesh', 'the root', {}, { root: '/srv/store' }, true],
  ['sftp', 'the host', { host: 'a', path: '/b' }, { host: 'b', path: '/b' }, true],
  [
    'sftp',
    'the user, whose root it may be',
    { host: 'a', user: 'x', path: '/b' },
    { host: 'a', user: 'y', path: '/b' },
    true,
  ],
  ['scp', 'the port', { host: 'a', path: '/b' }, { host: 'a', path: '/b', port: '2222' }, true],
  ['scp', 'the usual port, said', { host: 'a', path: '/b' }, { host: 'a', path: '/b', port: '22' }, false],
  ['sftp', 'the key of the host', { host: 'a', path: '/b' }, { host: 'a', path: '/b', 'host-key': 'SHA256:x' }, false],
  ['git', 'the url', { url: 'https://a/b' }, { url: 'https://a/c' }, true],
  ['git', 'the branch', { url: 'https://a/b' }, { url: 'https://a/b', branch: 'other' }, true],
  ['git', 'the user', { url: 'https://a/b' }, { url: 'https://a/b', user: 'x' }, false],
  ['subversion', 'the url', { url: 'svn://a/b' }, { url: 'svn://a/c' }, true],
])('%s: whether its bytes lie elsewhere after a change of %s', (engine, _, before, after, elsewhere) => {
  const at = (settings: Record<string, string>): ServiceRecord =>
    service('svc-b1', ids.web1, 'file', engine, 0, { instance: 'nas', settings });
  expect(bytesAt(at(before)) !== bytesAt(at(after))).toBe(elsewhere);
});
