// WordPress as one of the apps, on the code base of Debian's package.
import { existsSync } from 'node:fs';
import { describe, test } from 'vitest';
import { createMariadbEngine } from '../../engine/db/mariadb/engine.ts';
import { createNginxEngine } from '../../engine/http/nginx/engine.ts';
import { planAccount, planAccountRemoval } from '../../site/account.ts';
import { createApps } from '../apps.ts';
import { describeApp } from '../conformance.ts';
import { createWordpressApp } from './app.ts';

const CODE = '/usr/share/wordpress';

if (existsSync(`${CODE}/wp-settings.php`)) {
  describeApp({
    app: createWordpressApp(),
    apps: createApps(),
    world: { http: createNginxEngine(), db: createMariadbEngine(), planAccount, planAccountRemoval },
    needsDatabase: true,
    code: async () => CODE,
    version: /^[0-9]+\.[0-9.]+$/,
    docroot: (root) => root,
    settings: {
      read: `define('ABSPATH', $site['docroot'] . '/'); require $site['config'] . '/settings.php';
        $found = array(DB_PASSWORD, DB_USER, DB_NAME, DB_HOST, WP_HOME)`,
      expected: ({ db, url }) => [db?.password, db?.user, db?.database, `${db?.host}:${db?.port}`, url],
    },
    spoil: (stage, site) => `${stage.layout(site).config}/settings.php`,
    uploads: () => '/wp-content/uploads/',
    denied: [
      '/wp-config.php',
      '/wp-config-sample.php',
      '/wp-settings.php',
      '/wp-load.php',
      '/wp-admin/install.php',
      '/wp-admin/setup-config.php',
      '/wp-admin/includes/upgrade.php',
      '/wp-admin/maint/repair.php',
      '/wp-includes/version.php',
      '/wp-content/mu-plugins/aegir-login.php',
      '/wp-content/index.php',
      '/readme.html',
      '/.htaccess',
    ],
    open: [['/wp-includes/css/buttons.css', /css/]],
    installing: {
      ownPage: '/wp-admin/profile.php',
      loggedIn: /action=logout/,
      says: /^WordPress .* is installed$/m,
      timeoutMs: 120_000,
    },
  });
} else {
  const why = `${CODE} is not there: apt install wordpress`;
  console.warn(`app wordpress is not tested against real code: ${why}`);
  describe('app wordpress', () => {
    test.skip(why, () => {});
  });
}
