import { describe, expect, test } from 'vitest';
import { graphOf, ids, platform, server, service, site, snapshot } from '../../test/records.ts';
import { chooseDb, chooseService, requireFreeNames, requireSite, requireUnused, requireUsable } from './rules.ts';
import { graphView } from './view.ts';

const fresh = { ...site, id: 'site-0123456789abcde9', name: 'new.example.org', aliases: [] };

describe('a binding', () => {
  test.each([
    [{ state: 'detected' as const }, /aegir service enable web1\/nginx/],
    [{ state: 'disabled' as const }, /it is disabled/],
    [{ state: 'missing' as const }, /aegir server verify web1/],
    [{ type: 'db' as const }, /http is needed/],
  ])('to a service that is %j is refused', (patch, why) => {
    const bad = service(ids.nginx, ids.web1, 'http', 'nginx', 80, patch);
    const graph = graphOf({ services: [bad, ...snapshot.services.slice(1)] });
    expect(() => requireUsable(graph, bad, 'http', 'a site')).toThrow(why);
  });

  test.each([
    ['pending' as const, /aegir server accept web1/],
    ['revoked' as const, /revoked/],
  ])('on a server that is %s is refused', (state, why) => {
    const graph = graphOf({
      servers: [server(ids.web1, 'web1', '192.0.2.11', { state }), ...snapshot.servers.slice(1)],
    });
    expect(() => requireUsable(graph, graph.service(ids.nginx), 'http', 'a site')).toThrow(why);
  });

  test('that is left out is the only enabled service, or an error that names the choices', () => {
    expect(chooseService(graphOf(), '', 'db', 'a site').id).toBe(ids.mariadb);
    const second = service('svc-0123456789abcde8', ids.web1, 'db', 'mariadb', 3306);
    expect(() => chooseService(graphOf({ services: [...snapshot.services, second] }), '', 'db', 'a site')).toThrow(
      'web1/mariadb',
    );
    expect(() => chooseService(graphOf({ services: [] }), '', 'db', 'a site')).toThrow(/none is enabled/);
  });

  test('by a name that is not there is an error that names those of its type alone', () => {
    const choose = (type: 'db' | 'file') => () => chooseService(graphOf(), 'nope', type, 'a site');
    expect(choose('db')).toThrow('cannot find db service "nope": there is db1/mariadb');
    expect(choose('file')).toThrow('cannot find file service "nope": there is no file service yet');
    expect(() => graphOf().service('nope')).toThrow(
      'cannot find service "nope": there are web1/nginx, db1/mariadb, web1/null',
    );
  });
});

describe('a database', () => {
  const postgresql = service('svc-0123456789abcde8', ids.db1, 'db', 'postgresql', 5432, { instance: '15-main' });
  const mysql = service('svc-0123456789abcde7', ids.web1, 'db', 'mysql', 3306);
  const both = graphOf({ services: [...snapshot.services, postgresql] });
  const alone = graphOf({ services: [...snapshot.services.filter(({ id }) => id !== ids.mariadb), postgresql] });

  test.each([
    ['wordpress', both, ids.mariadb],
    ['drupal', alone, postgresql.id],
    ['php', alone, postgresql.id],
  ] as const)('for %s that is left out is the only one that fits', (app, graph, id) => {
    expect(chooseDb(graph, '', app, 'a site').id).toBe(id);
  });

  test.each([
    ['drupal', both, 'there are several; name one of db1/mariadb, db1/postgresql:15-main'],
    ['wordpress', alone, 'wordpress needs mariadb or mysql, and none is enabled; see: aegir service list'],
    ['wordpress', graphOf({ services: [] }), 'none is enabled'],
  ] as const)('for %s that is left out is an error when it cannot be chosen: %#', (app, graph, why) => {
    expect(() => chooseDb(graph, '', app, 'a site')).toThrow(why);
  });

  test('that is named is taken when the app can use it, by the driver of its engine', () => {
    const graph = graphOf({ services: [...snapshot.services, postgresql, mysql] });
    expect(chooseDb(graph, 'db1/postgresql:15-main', 'drupal', 'a site').id).toBe(postgresql.id);
    expect(chooseDb(graph, 'web1/mysql', 'wordpress', 'a site').id).toBe(mysql.id);
    expect(() => chooseDb(graph, 'db1/postgresql:15-main', 'wordpress', 'site a.example')).toThrow(
      'cannot use db1/postgresql:15-main for site a.example: wordpress cannot use postgresql; it needs mariadb or mysql',
    );
    expect(() => chooseDb(graph, 'web1/nginx', 'wordpress', 'a site')).toThrow(/db is needed/);
  });

  test('of another kind is no database of a site, however it came to that', () => {
    const bound = { ...fresh, bindings: { ...fresh.bindings, db: postgresql.id } };
    expect(() => requireSite(both, bound)).toThrow(/wordpress cannot use postgresql/);
    expect(() => requireSite(graphOf({ ...both, platforms: [{ ...platform, app: 'drupal' }] }), bound)).not.toThrow();
  });
});

describe('names', () => {
  test.each([[{ name: 'example.org' }], [{ name: 'www.example.org' }], [{ aliases: ['example.org'] }]])(
    'of another site are refused: %j',
    (patch) => {
      expect(() => requireFreeNames(graphOf(), { ...fresh, ...patch })).toThrow(/site example.org has it/);
    },
  );

  test('twice in one site are refused', () => {
    expect(() => requireFreeNames(graphOf(), { ...fresh, aliases: ['new.example.org'] })).toThrow(/twice/);
  });

  test('of its own are no clash', () => expect(() => requireFreeNames(graphOf(), site)).not.toThrow());
});

test('a site needs a verified platform and the database its app requires', () => {
  expect(() => requireSite(graphOf(), fresh)).not.toThrow();
  expect(() => requireSite(graphOf({ platforms: [{ ...platform, state: 'new' }] }), fresh)).toThrow(
    /platform verify wordpress/,
  );
  expect(() => requireSite(graphOf(), { ...fresh, bindings: { http: ids.nginx } })).toThrow(/needs a db service/);
});

test('a service in use cannot be disabled', () => {
  const graph = graphOf();
  expect(() => requireUnused(graph, graph.service(ids.mariadb))).toThrow('site example.org bind to it');
  expect(() => requireUnused(graphOf({ sites: [] }), graph.service(ids.mariadb))).not.toThrow();
});

test('look-ups name what there is', () => {
  expect(() => graphOf().server('web9')).toThrow('there are web1, db1');
  expect(graphOf().service('web1/nginx').id).toBe(ids.nginx);
  expect(graphOf().site('www.example.org').id).toBe(ids.site);
});

test('a revoked server gives its name away but keeps its record', () => {
  const graph = graphOf({
    servers: [server(ids.web1, 'web1', '192.0.2.11', { state: 'revoked' }), ...snapshot.servers.slice(1)],
  });

  expect(graph.server(ids.web1).state).toBe('revoked');
  expect(() => graph.server('web1')).toThrow('cannot use server web1: web1 is revoked; let the host join again');
  expect(() => graph.service('web1/nginx')).toThrow('cannot use service web1/nginx: web1 is revoked');
});

test('the view has every node once and edges between nodes that are there', () => {
  const view = graphView(graphOf());
  const known = new Set(view.nodes.map((node) => node.id));
  expect(known.size).toBe(view.nodes.length);
  expect(view.edges.every((edge) => known.has(edge.from) && known.has(edge.to))).toBe(true);
  expect(view.edges.filter((edge) => edge.kind === 'binds')).toHaveLength(3);
});
