// Where a site may move to: not where its URL would be another one.
import { expect, test } from 'vitest';
import { ids, platform, server, service, site, snapshot } from '../../test/records.ts';
import { createGraph } from '../graph/graph.ts';
import type { ServiceRecord } from '../store/model.ts';
import { destination, wishFor } from './move.ts';

const web2 = server('srv-0123456789abcdm1', 'web2', '192.0.2.21');
const at = (port: number) => {
  const nginx2 = service('svc-0123456789abcdm1', web2.id, 'http', 'nginx', port);
  const there = { ...platform, id: 'plat-0123456789abcdm1', name: 'there', serviceId: nginx2.id };
  return createGraph({
    ...snapshot,
    servers: [...snapshot.servers, web2],
    services: [...snapshot.services, nginx2],
    platforms: [...snapshot.platforms, there],
    sites: [site],
  });
};
const wish = { platform: 'there', server: 'web2', db: '' };

test('the same port, another server', () => {
  const graph = at(graphPort());
  expect(destination(graph, site, wish)).toMatchObject({ platformId: 'plat-0123456789abcdm1' });
});

test('another port is refused, with both URLs and what to do', () => {
  const graph = at(9090);
  expect(() => destination(graph, site, wish)).toThrow(/it is http:\/\/.*, and would be http:\/\/.*:9090 there/);
  expect(() => destination(graph, site, wish)).toThrow(/or make a copy by: aegir site clone/);
});

test('a server without a web server takes no site, and says so', () => {
  const graph = createGraph(snapshot);
  expect(() => destination(graph, site, { platform: '', server: 'db1', db: '' })).toThrow(
    'cannot move to db1: no web server is enabled there; see: aegir service list --server db1, ' +
      'or move databases alone: aegir site migrate SITE --db db1/mariadb',
  );
});

test('what leaves a server of databases is the database alone', () => {
  const db2 = server('srv-0123456789abcdm2', 'db2', '192.0.2.22');
  const mariadb2 = service('svc-0123456789abcdm2', db2.id, 'db', 'mariadb', 3306);
  const with2 = (...services: readonly ServiceRecord[]) =>
    createGraph({ ...snapshot, servers: [...snapshot.servers, db2], services: [...snapshot.services, ...services] });
  const leave = { platform: '', server: 'db2', db: '', leaving: ids.db1 };
  const graph = with2(mariadb2);
  expect(wishFor(graph, site, leave)).toEqual({ platform: '', server: '', db: mariadb2.id });
  expect(destination(graph, site, wishFor(graph, site, leave))).toMatchObject({ http: ids.nginx, db: mariadb2.id });
  expect(wishFor(graph, site, { ...leave, db: 'db2/mariadb' })).toEqual({
    platform: '',
    server: '',
    db: 'db2/mariadb',
  });
  expect(() => wishFor(with2(), site, leave)).toThrow(
    /database of example\.org to db2: no mariadb is enabled there; enable one, or name another by --db$/,
  );
  const other = { ...mariadb2, id: 'svc-0123456789abcdm3', instance: 'two' };
  expect(() => wishFor(with2(mariadb2, other), site, leave)).toThrow(/it has several; name one by --db$/);
});

test('what leaves a web server is the site, and its database only where that lies there', () => {
  const web2 = server('srv-0123456789abcdm1', 'web2', '192.0.2.21');
  const nginx2 = service('svc-0123456789abcdm1', web2.id, 'http', 'nginx', graphPort());
  const there = { ...platform, id: 'plat-0123456789abcdm1', name: 'there', serviceId: nginx2.id };
  const beside = service('svc-0123456789abcdm2', ids.web1, 'db', 'mariadb', 3306);
  const mariadb2 = service('svc-0123456789abcdm3', web2.id, 'db', 'mariadb', 3306);
  const with2 = (...services: readonly ServiceRecord[]) =>
    createGraph({
      ...{ ...snapshot, servers: [...snapshot.servers, web2], platforms: [...snapshot.platforms, there] },
      services: [...snapshot.services, beside, nginx2, ...services],
    });
  const leave = { platform: '', server: 'web2', db: '', leaving: ids.web1 };
  // It is on db1, where it stays, though the new server has one of its kind.
  const apart = wishFor(with2(mariadb2), site, leave);
  expect(apart).toEqual({ platform: '', server: 'web2', db: ids.mariadb });
  expect(destination(with2(mariadb2), site, apart)).toMatchObject({ http: nginx2.id, db: ids.mariadb });
  // Even on a server that cannot be reached any more.
  const lost = with2(mariadb2).services.map((each) => (each.id === ids.mariadb ? { ...each, state: 'missing' } : each));
  expect(destination(createGraph({ ...with2(mariadb2), services: lost as ServiceRecord[] }), site, apart).db).toBe(
    ids.mariadb,
  );
  expect(wishFor(with2(mariadb2), site, { ...leave, db: 'web2/mariadb' }).db).toBe('web2/mariadb');

  const whole = { ...site, bindings: { ...site.bindings, db: beside.id } };
  const both = wishFor(with2(mariadb2), whole, leave);
  expect(both).toEqual({ platform: '', server: 'web2', db: mariadb2.id });
  expect(destination(with2(mariadb2), whole, both)).toMatchObject({ http: nginx2.id, db: mariadb2.id });
  expect(() => wishFor(with2(), whole, leave)).toThrow(
    /database of example\.org to web2: no mariadb is enabled there;/,
  );
  expect(() => wishFor(with2(), whole, { ...leave, platform: 'there', server: '' })).toThrow(/to web2: no mariadb/);
  expect(wishFor(with2(), whole, { ...leave, db: 'db1/mariadb' }).db).toBe('db1/mariadb');
});

function graphPort(): number {
  return createGraph(snapshot).service(site.bindings.http).detected.ports[0] ?? 80;
}
