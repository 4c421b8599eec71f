import { describe, expect, test } from 'vitest';
import { ids, platform, server, service, site } from '../../test/records.ts';
import { dbConnection, dbSpec, type SiteParts, serviceRef } from './spec.ts';

function partsOn(engine: string, port: number, socket = '', serverId: string = ids.db1): SiteParts {
  const made = service('svc-0123456789abcde8', serverId, 'db', engine, port, { instance: '15-main' });
  const carrier = server(serverId, 'db1', '192.0.2.21');
  const web = {
    service: service(ids.nginx, ids.web1, 'http', 'nginx', 80),
    server: server(ids.web1, 'web1', '192.0.2.11'),
    ...{ sharedRoot: '', leaving: false },
  };
  return {
    site,
    platform,
    http: service(ids.nginx, ids.web1, 'http', 'nginx', 80),
    servers: [web],
    front: null,
    db: { service: { ...made, detected: { ...made.detected, socket } }, server: carrier, password: 'secret' },
    salt: '',
    tlsKey: null,
    auth: null,
    login: null,
  };
}

describe('a connection', () => {
  test.each([
    ['mariadb', 3307, 'mysql', 3307],
    ['mariadb', 0, 'mysql', 3306],
    ['mysql', 0, 'mysql', 3306],
    ['postgresql', 5433, 'pgsql', 5433],
    ['postgresql', 0, 'pgsql', 5432],
  ])('to %s at port %i is by %s, at %i', (engine, detected, driver, port) => {
    expect(dbConnection(partsOn(engine, detected))).toMatchObject({ driver, host: '192.0.2.21', port, socket: '' });
  });

  test('on the same server is by the socket, which the engine is told as localhost', () => {
    const socket = '/var/run/postgresql/.s.PGSQL.5432';
    const parts = partsOn('postgresql', 5432, socket, ids.web1);
    expect(dbConnection(parts)).toMatchObject({ driver: 'pgsql', host: '', port: 0, socket });
    expect(dbSpec(parts, false).from).toEqual(['localhost']);
  });

  test('to an engine that nobody knows is refused', () => {
    expect(() => dbConnection(partsOn('oracle', 1521))).toThrow(/how sites speak to oracle/);
    expect(() => dbConnection(partsOn('constructor', 1521))).toThrow(/how sites speak to constructor/);
  });
});

test('a service is named to its agent with its instance', () => {
  const { db } = partsOn('postgresql', 5432);
  expect(db && serviceRef(db.service, {})).toMatchObject({ engine: 'postgresql', instance: '15-main', version: '' });
});
