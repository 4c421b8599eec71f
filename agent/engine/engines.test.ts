// What engines say on hosts that do not have their daemon.
import { expect, test } from 'vitest';
import { createFakeHost } from '../host/fake.ts';
import { serviceRef } from '../testing/requests.ts';
import { contextOf } from './conformance/interruption.ts';
import { canPrepare, type Engine } from './engine.ts';
import { createEngines } from './engines.ts';

const engines = createEngines();

function prepare(type: Engine['type'], name: string, kind: 'systemd' | 'embedded') {
  const engine = engines.find((each) => each.name === name);
  if (engine === undefined || !canPrepare(engine)) throw new Error(`${name} prepares nothing`);
  const host = { ...createFakeHost({ daemons: [] }), kind };
  return engine.prepare(serviceRef({ type, engine: name }), contextOf(host));
}

test.each([
  ['http', 'nginx', /nginx .*install it .*nginx-light/],
  ['http', 'apache', /Apache .*install it .*apache2/],
  ['http', 'cluster', /HAProxy .*install it .*haproxy/],
  ['db', 'mariadb', /MariaDB is not installed.*mariadb-server/],
  ['db', 'mysql', /MySQL is not installed.*mysql-server/],
  ['db', 'postgresql', /PostgreSQL is not installed.*install postgresql/],
  ['dns', 'bind', /BIND is not installed.*install bind9/],
] as const)(
  '%s/%s says what to install on a server, and to join one on those of `npm run up`',
  async (type, name, how) => {
    await expect(prepare(type, name, 'systemd')).rejects.toThrow(how);
    const refused = /: this server of `npm run up` has none; join a server with one/;
    await expect(prepare(type, name, 'embedded')).rejects.toThrow(refused);
  },
);
