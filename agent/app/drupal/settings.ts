// settings.php of a site, complete: Drupal never writes to it. Pure.
import { hkdfSync } from 'node:crypto';
import type { DbConnection, SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import { pgsqlPlace } from '../pgsql-place.ts';
import { phpString } from '../php-literal.ts';
import { compiled, configSync, localSettingsPath, privateFiles, siteName } from './places.ts';

const SALT_BYTES = 48;
const HEADER = '<?php\n// Written by Aegir, which restores it when it is changed by hand.\n';

/** For Drupal of this line (recognise.ts). */
export function renderSettings(line: 7 | 8, site: SiteSpec, db: DbConnection, layout: SiteLayout): string {
  const local = phpString(localSettingsPath(layout));
  return [
    HEADER,
    renderDatabase(line, db),
    line === 7 ? renderSeven(site, layout) : renderModern(site, layout),
    '// An operator’s own settings; only root can put them there.\n',
    `if (is_readable(${local})) {\n  require ${local};\n}\n`,
  ].join('');
}

/** array() and no namespace: what every Drupal from 7 on takes. Cores since 9.4 find their driver by its name. */
function renderDatabase(line: 7 | 8, db: DbConnection): string {
  return [
    "$databases['default']['default'] = array(\n",
    entry('driver', db.driver),
    entry('database', db.database),
    entry('username', db.user),
    entry('password', db.password),
    ...(db.driver === 'pgsql' ? pgsqlEntries(db) : mysqlEntries(db)),
    entry('prefix', ''),
    ');\n',
    line === 7 ? '' : "$settings['entity_update_batch_size'] = 50;\n",
  ].join('');
}

function mysqlEntries(db: DbConnection): readonly string[] {
  return [
    ...(db.socket === ''
      ? [entry('host', db.host), `  'port' => ${db.port},\n`]
      : [entry('unix_socket', db.socket), entry('host', 'localhost')]),
    entry('charset', 'utf8mb4'),
    entry('collation', 'utf8mb4_general_ci'),
    "  // Drupal's own advice: REPEATABLE READ locks more than it needs.\n",
    `  'init_commands' => array('isolation_level' => 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED'),\n`,
  ];
}

/** Its library takes the directory of a socket for a host. */
function pgsqlEntries(db: DbConnection): readonly string[] {
  const { host, port } = pgsqlPlace(db);
  return [entry('host', host), `  'port' => ${port},\n`];
}

function renderModern(site: SiteSpec, layout: SiteLayout): string {
  const names = [...new Set([site.name, ...site.aliases, new URL(site.url).hostname])];
  return [
    setting('hash_salt', hashSalt(site.salt)),
    setting('config_sync_directory', configSync(layout)),
    setting('file_public_path', publicFiles(layout)),
    setting('file_private_path', privateFiles(layout)),
    setting('file_temp_path', layout.tmp),
    '// Cores before 8.8 look for the temporary directory here.\n',
    `$config['system.file']['path']['temporary'] = ${phpString(layout.tmp)};\n`,
    "$settings['trusted_host_patterns'] = array(\n",
    ...names.map((name) => `  ${phpString(`^${pattern(name)}$`)},\n`),
    ');\n',
    '// Templates compiled to PHP stay out of what the web serves.\n',
    `$settings['php_storage']['default'] = array('directory' => ${phpString(compiled(layout))});\n`,
    `$settings['php_storage']['twig'] = array('directory' => ${phpString(compiled(layout))});\n`,
    '// The code is shared and read-only: it changes by changing the platform.\n',
    "$settings['update_free_access'] = FALSE;\n$settings['rebuild_access'] = FALSE;\n",
    "$settings['allow_authorize_operations'] = FALSE;\n",
    '// Aegir runs the cron: visitors do not wait for it.\n',
    "$config['automated_cron.settings']['interval'] = 0;\n",
    '// Aegir keeps the modes of this file and its directory.\n',
    "$settings['skip_permissions_hardening'] = TRUE;\n",
    "$settings['file_scan_ignore_directories'] = array('node_modules', 'bower_components');\n",
    "if (file_exists(__DIR__ . '/services.yml')) {\n  $settings['container_yamls'][] = __DIR__ . '/services.yml';\n}\n",
  ].join('');
}

function renderSeven(site: SiteSpec, layout: SiteLayout): string {
  const configuration = (name: string, value: string) => `$conf[${phpString(name)}] = ${value};\n`;
  return [
    `$drupal_hash_salt = ${phpString(hashSalt(site.salt))};\n`,
    '$update_free_access = FALSE;\n',
    configuration('file_public_path', phpString(publicFiles(layout))),
    configuration('file_private_path', phpString(privateFiles(layout))),
    configuration('file_temporary_path', phpString(layout.tmp)),
    '// The code is shared and read-only: it changes by changing the platform.\n',
    configuration('allow_authorize_operations', 'FALSE'),
    '// Aegir runs the cron: visitors do not wait for it.\n',
    configuration('cron_safe_threshold', '0'),
    '// Aegir keeps the modes of this file and its directory.\n',
    configuration('skip_permissions_hardening', 'TRUE'),
    '// The web server does it.\n',
    configuration('clean_url', '1'),
    configuration('404_fast_paths_exclude', phpString('/\\/(?:styles)|(?:system\\/files)\\//')),
    configuration(
      '404_fast_paths',
      phpString('/\\.(?:txt|png|gif|jpe?g|css|js|ico|swf|flv|cgi|bat|pl|dll|exe|asp)$/i'),
    ),
    configuration(
      '404_fast_html',
      phpString('<!DOCTYPE html><html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>'),
    ),
    "// As in Drupal's default settings: sessions live in its database and end there.\n",
    "ini_set('session.gc_probability', 1);\nini_set('session.gc_divisor', 100);\n",
    "ini_set('session.gc_maxlifetime', 200000);\nini_set('session.cookie_lifetime', 2000000);\n",
  ].join('');
}

/** Below Drupal's document root, where a link leads to the site's files: Drupal makes URLs of it. */
export function publicFiles(layout: SiteLayout): string {
  return `sites/${siteName(layout)}/files`;
}

/** Equal on every head of the site, and no way back to the salt (RFC 5869). */
function hashSalt(salt: string): string {
  return Buffer.from(hkdfSync('sha256', salt, '', 'drupal hash_salt', SALT_BYTES)).toString('base64url');
}

/** Symfony puts these between braces. */
function pattern(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}

function entry(key: string, value: string): string {
  return `  ${phpString(key)} => ${phpString(value)},\n`;
}

function setting(name: string, value: string): string {
  return `$settings[${phpString(name)}] = ${phpString(value)};\n`;
}
