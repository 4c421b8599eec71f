import { expect, test } from 'vitest';
import { siteLayout } from '../../host/site-layout.ts';
import { siteSpec } from '../../testing/requests.ts';
import { renderSettings } from './app.ts';

const paths = {
  state: '/var/lib/aegir',
  sites: '/var/aegir',
  logs: '/var/log/aegir',
  run: '/run/aegir',
  work: '/work',
};
const db = { driver: 'mysql', host: '192.0.2.1', port: 3306, socket: '', database: 'd', user: 'u', password: 'p' };

test.each([
  [db, ["'mysql'", "'192.0.2.1'", '3306', "''"]],
  [{ ...db, host: '', port: 0, socket: '/run/my.sock' }, ["'mysql'", "''", '0', "'/run/my.sock'"]],
  [{ ...db, driver: 'pgsql', port: 5433 }, ["'pgsql'", "'192.0.2.1'", '5433', "''"]],
  [
    { ...db, driver: 'pgsql', host: '', port: 0, socket: '/var/run/postgresql/.s.PGSQL.5434' },
    ["'pgsql'", "'/var/run/postgresql'", '5434', "'/var/run/postgresql/.s.PGSQL.5434'"],
  ],
])('a site finds its database at %j', (connection, values) => {
  const site = siteSpec({ db: connection });
  const text = renderSettings(site, siteLayout(paths, site.id));
  for (const [index, name] of ['DRIVER', 'HOST', 'PORT', 'SOCKET'].entries()) {
    expect(text).toContain(`define('AEGIR_DB_${name}', ${values[index]});`);
  }
});

test('a site without a database finds none', () => {
  const site = siteSpec({ db: undefined });
  expect(renderSettings(site, siteLayout(paths, site.id))).not.toContain('AEGIR_DB');
});
