import { expect, test } from 'vitest';
import { roomOf } from '../nginx-room.ts';
import { renderApacheConf } from './apache-conf.ts';
import { renderMariadbConf } from './mariadb-conf.ts';
import { renderNginxConf } from './nginx-conf.ts';
import { renderPhpFpmConf } from './php-fpm-conf.ts';

const golden = (name: string): string => new URL(`./testdata/${name}`, import.meta.url).pathname;

test('nginx.conf', async () => {
  const text = renderNginxConf({
    run: '/srv/web1/run',
    temporary: '/srv/web1/tmp/nginx',
    includeDir: '/srv/web1/etc/nginx/conf.d',
    addresses: ['127.0.1.1', '::1'],
    port: 8080,
  });
  await expect(text).toMatchFileSnapshot(golden('nginx.conf'));
  // The longest hold of a move, and what a gate then hands on.
  expect(roomOf(text, '', 2).ends?.afterMs).toBeGreaterThan(2 * 600_000);
});

test('apache2.conf', async () => {
  const text = renderApacheConf({
    root: '/srv/web1/etc/apache2',
    run: '/srv/web1/run',
    log: '/srv/web1/daemon-logs/apache2.log',
    includeDir: '/srv/web1/etc/apache2/sites-enabled',
    addresses: ['127.0.1.1', '::1'],
    port: 8080,
    tlsPort: 8443,
  });
  await expect(text).toMatchFileSnapshot(golden('apache2.conf'));
});

test('php-fpm.conf', async () => {
  const text = renderPhpFpmConf({
    version: '8.2',
    run: '/srv/web1/run',
    log: '/srv/web1/daemon-logs/php-fpm-8.2.log',
    includeDir: '/srv/web1/etc/php-fpm-8.2/pool.d',
  });
  await expect(text).toMatchFileSnapshot(golden('php-fpm.conf'));
});

test('my.cnf', async () => {
  const text = renderMariadbConf({
    data: '/srv/db1/data/mariadb',
    temporary: '/srv/db1/tmp/mariadb',
    exports: '/srv/db1/data/mariadb-exports',
    run: '/srv/db1/run',
    socket: '/srv/db1/run/mariadb.sock',
    includeDir: '/srv/db1/etc/mariadb/conf.d',
    address: '127.0.1.2',
    port: 3307,
  });
  await expect(text).toMatchFileSnapshot(golden('my.cnf'));
});
