// Where a site may move to: not where its URL would be another one.
import { expect, test } from 'vitest';
import { platform, server, service, site, snapshot } from '../../test/records.ts';
import { createGraph } from '../graph/graph.ts';
import { destination } from './move.ts';

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

function graphPort(): number {
  return createGraph(snapshot).service(site.bindings.http).detected.ports[0] ?? 80;
}
