// The site's own configuration for a shared WordPress code base. Pure.
//
// wp-load.php looks for wp-config.php in ABSPATH, which it sets to its own directory unless it is set already; and PHP
// resolves links, so that this would be the shared code base. A file prepended to every script of the site's pool sets
// ABSPATH to the site's document root first: there lies the site's wp-config.php, which reads the settings.
import { hkdfSync } from 'node:crypto';
import type { DbConnection, SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import { phpDefine, phpString } from '../php-literal.ts';

export const prependPath = (layout: SiteLayout) => `${layout.config}/prepend.php`;
export const settingsPath = (layout: SiteLayout) => `${layout.config}/settings.php`;
export const TABLE_PREFIX = 'wp_';

const HEADER = '<?php\n// Written by Aegir, which restores it when it is changed by hand.\n';
const KEYS = [
  'AUTH_KEY',
  'SECURE_AUTH_KEY',
  'LOGGED_IN_KEY',
  'NONCE_KEY',
  'AUTH_SALT',
  'SECURE_AUTH_SALT',
  'LOGGED_IN_SALT',
  'NONCE_SALT',
];
const KEY_BYTES = 48;

export function renderPrepend(layout: SiteLayout): string {
  return `${HEADER}if (!defined('ABSPATH')) ${phpDefine('ABSPATH', `${layout.docroot}/`)}`;
}

export function renderConfig(layout: SiteLayout): string {
  return `${HEADER}require ${phpString(settingsPath(layout))};
$table_prefix = ${phpString(TABLE_PREFIX)};
require_once ABSPATH . 'wp-settings.php';
`;
}

/** host:port, or localhost:/socket, as WordPress's DB_HOST takes them. */
export function dbHost(db: DbConnection): string {
  if (db.socket !== '') return `localhost:${db.socket}`;
  return `${db.host.includes(':') ? `[${db.host}]` : db.host}:${db.port}`;
}

export function renderSettings(site: SiteSpec, db: DbConnection, layout: SiteLayout): string {
  const content = `${layout.docroot}/wp-content`;
  return [
    HEADER,
    phpDefine('DB_NAME', db.database),
    phpDefine('DB_USER', db.user),
    phpDefine('DB_PASSWORD', db.password),
    phpDefine('DB_HOST', dbHost(db)),
    phpDefine('DB_CHARSET', 'utf8mb4'),
    phpDefine('DB_COLLATE', 'utf8mb4_unicode_ci'),
    ...KEYS.map((key) => phpDefine(key, derived(site.salt, key))),
    phpDefine('WP_HOME', site.url),
    phpDefine('WP_SITEURL', site.url),
    phpDefine('WP_CONTENT_DIR', content),
    phpDefine('WP_CONTENT_URL', `${site.url}/wp-content`),
    phpDefine('WP_TEMP_DIR', layout.tmp),
    '// The code is shared and read-only: it changes by changing the platform.\n',
    phpDefine('DISALLOW_FILE_EDIT', true),
    phpDefine('DISALLOW_FILE_MODS', true),
    phpDefine('AUTOMATIC_UPDATER_DISABLED', true),
    phpDefine('WP_AUTO_UPDATE_CORE', false),
    phpDefine('FS_METHOD', 'direct'),
    '// Aegir runs the cron: visitors do not wait for it.\n',
    phpDefine('DISABLE_WP_CRON', true),
    "if (!defined('WP_DEBUG')) define('WP_DEBUG', false);\n",
  ].join('');
}

/** Equal on every head of the site, different for every key, and no way back to the salt (RFC 5869). */
function derived(salt: string, key: string): string {
  return Buffer.from(hkdfSync('sha256', salt, '', `wordpress ${key}`, KEY_BYTES)).toString('base64');
}
