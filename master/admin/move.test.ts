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
  // The site itself is on the server that is left: it goes with its database.
  expect(wishFor(graph, site, { ...leave, leaving: ids.web1 })).toEqual({ platform: '', server: 'db2', db: '' });
  expect(() => wishFor(with2(), site, leave)).toThrow(/database of example\.org to db2: no mariadb is enabled there$/);
  const other = { ...mariadb2, id: 'svc-0123456789abcdm3', instance: 'two' };
  expect(() => wishFor(with2(mariadb2, other), site, leave)).toThrow(/it has several; name one by --db$/);
});

function graphPort(): number {
  return createGraph(snapshot).service(site.bindings.http).detected.ports[0] ?? 80;
}
