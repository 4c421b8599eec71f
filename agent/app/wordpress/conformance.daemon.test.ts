// WordPress as one of the apps, on the code base of Debian's package.
import { existsSync } from 'node:fs';
import { describe, test } from 'vitest';
import type { SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import { runCron } from '../../cron/run-cron.ts';
import { createMariadbEngine } from '../../engine/db/mariadb/engine.ts';
import { createNginxEngine } from '../../engine/http/nginx/engine.ts';
import { planAccount, planAccountRemoval } from '../../site/account.ts';
import { createApps } from '../apps.ts';
import { describeApp } from '../conformance.ts';
import type { Stage } from '../conformance-stage.ts';
import { createWordpressApp } from './app.ts';

const CODE = '/usr/share/wordpress';

const pluginPath = (stage: Stage, site: SiteSpec) =>
  `${stage.layout(site).docroot}/wp-content/mu-plugins/conformance.php`;

async function plugin(stage: Stage, site: SiteSpec, code: string): Promise<void> {
  const text = `<?php add_action('conformance_event', function () { ${code} });`;
  await stage.host.files.write(pluginPath(stage, site), text, { mode: 0o644 });
}

async function schedule(stage: Stage, site: SiteSpec): Promise<void> {
  const program = `require '${stage.layout(site).config}/prepend.php';
    $_SERVER['HTTP_HOST'] = '${site.name}'; require ABSPATH . 'wp-load.php';
    foreach (_get_cron_array() as $time => $hooks) foreach (array_keys($hooks) as $hook) wp_clear_scheduled_hook($hook);
    if (wp_schedule_single_event(time() - 5, 'conformance_event') !== true) exit(1);`;
  const { code, stderr, stdout } = await stage.host.run({ argv: ['php', '-r', program] });
  if (code !== 0) throw new Error(`cannot schedule an event: ${stderr}${stdout}`);
}

if (existsSync(`${CODE}/wp-settings.php`)) {
  describeApp({
    app: createWordpressApp(),
    apps: createApps(),
    world: { http: createNginxEngine(), db: createMariadbEngine(), planAccount, planAccountRemoval, runCron },
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
    cron: {
      // A plugin of the site, as an operator puts one there, and an event of it that is due.
      due: async (stage, site) => {
        const mark = `${stage.layout(site).private}/cron-ran`;
        await plugin(stage, site, `file_put_contents('${mark}', wp_doing_cron() ? 'x' : 'no cron', FILE_APPEND);`);
        await schedule(stage, site);
        return async () => ((await stage.host.files.read(mark)) ?? '').length;
      },
      broken: async (stage, site) => {
        await plugin(stage, site, "throw new Exception('broken on purpose ' . DB_PASSWORD . ' ' . AUTH_KEY);");
        await schedule(stage, site);
      },
      mended: (stage, site) => plugin(stage, site, ''),
      timeoutMs: 60_000,
    },
  });
} else {
  const why = `${CODE} is not there: apt install wordpress`;
  console.warn(`app wordpress is not tested against real code: ${why}`);
  describe('app wordpress', () => {
    test.skip(why, () => {});
  });
}
