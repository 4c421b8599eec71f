import { describe, expect, test } from 'vitest';
import { siteLayout } from '../../host/site-layout.ts';
import { PASSWORD, SALT, siteSpec } from '../../testing/requests.ts';
import { connectionOf } from '../site-database.ts';
import { renderSettings } from './settings.ts';
import { readsOurs, renderNames, SITES_PHP } from './sites-php.ts';

const paths = {
  state: '/var/lib/aegir',
  sites: '/var/aegir',
  logs: '/var/log/aegir',
  run: '/run/aegir',
  work: '/work',
};
const site = siteSpec({ aliases: ['www.example.org'], url: 'https://example.org' });
const layout = siteLayout(paths, site.id);
const render = (line: 7 | 8, part = {}) => {
  const changed = siteSpec({ ...site, ...part });
  return renderSettings(line, changed, connectionOf(changed), layout);
};

describe.each([7, 8] as const)('settings.php of line %s', (line) => {
  test('has the database, with its password quoted', () => {
    expect(PASSWORD).toMatch(/['\\]/);
    expect(render(line)).toContain("'password' => 'pass\\'word&42\\\\x',");
    expect(render(line)).toContain("'charset' => 'utf8mb4',");
    expect(render(line)).toContain('READ COMMITTED');
    expect(render(line)).toContain("'host' => '127.0.0.1',\n  'port' => 3306,");
  });

  test('takes a socket', () => {
    const db = { ...connectionOf(site), host: '', port: 0, socket: '/run/mysqld/mysqld.sock' };
    expect(render(line, { db })).toContain("'unix_socket' => '/run/mysqld/mysqld.sock',");
    expect(render(line, { db })).not.toContain("'port'");
  });

  test.each([
    [{ host: '192.0.2.1', port: 5433, socket: '' }, "'host' => '192.0.2.1',\n  'port' => 5433,"],
    [
      { host: '', port: 0, socket: '/var/run/postgresql/.s.PGSQL.5434' },
      "'host' => '/var/run/postgresql',\n  'port' => 5434,",
    ],
  ])('takes PostgreSQL at %j', (place, says) => {
    const db = { ...connectionOf(site), driver: 'pgsql', ...place };
    const text = render(line, { db, platform: { ...site.platform, app: 'drupal' } });
    expect(text).toContain("'driver' => 'pgsql',");
    expect(text).toContain(says);
    expect(text).toContain("'password' => 'pass\\'word&42\\\\x',");
    // What MySQL alone understands.
    for (const word of ['unix_socket', 'utf8mb4', 'init_commands']) expect(text).not.toContain(word);
  });

  test('has a salt that is equal on every head and no way back to the secret', () => {
    const salt = (text: string) => /hash_salt(?:'\])? = '([^']+)'/.exec(text)?.[1] ?? '';
    expect(salt(render(line))).toMatch(/^[A-Za-z0-9_-]{64}$/);
    expect(salt(render(line))).toBe(salt(render(line)));
    expect(salt(render(line, { salt: `${SALT}x` }))).not.toBe(salt(render(line)));
    expect(render(line)).not.toContain(SALT);
  });

  test('keeps what is private out of what the web serves', () => {
    const text = render(line);
    expect(text).toContain(`'sites/${site.id}/files'`);
    expect(text).toContain(`'${layout.private}/files'`);
    expect(text).toContain(`'${layout.tmp}'`);
    if (line === 8) expect(text).toContain(`['config_sync_directory'] = '${layout.private}/config';`);
  });

  test('closes the ways by which the web could change code', () => {
    expect(render(line)).toMatch(/update_free_access'?\]? = FALSE/);
    expect(render(line)).toMatch(/allow_authorize_operations'\] = FALSE/);
  });
});

test('only its own names are trusted, as whole names', () => {
  const patterns = [...render(8).matchAll(/^ {2}'(\^.*\$)',$/gm)].map(([, quoted = '']) =>
    quoted.replaceAll('\\\\', '\\').replaceAll("\\'", "'"),
  );
  const trusted = (name: string) => patterns.some((pattern) => new RegExp(pattern, 'i').test(name));
  expect(patterns.length).toBe(2);
  expect(['example.org', 'www.example.org'].every(trusted)).toBe(true);
  expect(['exampleXorg', 'example.org.evil.net', 'evil-example.org', 'x.www.example.org'].some(trusted)).toBe(false);
  expect(render(8)).toContain("$settings['rebuild_access'] = FALSE;");
});

test('names lead to the id, which no domain can end', () => {
  expect(renderNames(site)).toContain(`  'www.example.org' => '${site.id}',\n`);
  expect(renderNames(site).match(/=>/g)?.length).toBe(2);
});

test('a foreign sites.php is known from ours', () => {
  expect(readsOurs(SITES_PHP)).toBe(true);
  expect(readsOurs("<?php\n$sites['x'] = 'y';\n")).toBe(false);
});
