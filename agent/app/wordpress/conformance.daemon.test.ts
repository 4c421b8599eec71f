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

/** Runs a program with the site's WordPress loaded; answers what $answer is then. */
async function wordpress(stage: Stage, site: SiteSpec, code: string): Promise<unknown> {
  const layout = stage.layout(site);
  const program = `require '${layout.config}/prepend.php';
    $_SERVER['HTTP_HOST'] = '${new URL(site.url).host}'; require ABSPATH . 'wp-load.php';
    $url = '${site.url}'; $name = '${site.name}'; $files = '${layout.files}'; $answer = null; ${code} echo json_encode($answer);`;
  const { code: status, stderr, stdout } = await stage.host.run({ argv: ['php', '-r', program], user: layout.user });
  if (status !== 0) throw new Error(`cannot ask WordPress: ${stderr}${stdout}`);
  return JSON.parse(stdout);
}

/** Content as themes and plugins leave it, of a class too that this site has no more. */
const PLANT = `
  $post = wp_insert_post(wp_slash(array('post_title' => 'Planted', 'post_name' => 'planted', 'post_status' => 'publish',
    'post_content' => '<!-- wp:image {"url":"' . str_replace('/', '\\/', $url) . '\\/a.png"} --><a href="' . $url . '/?p=1">one</a>'
      . ' <a href="//www.' . $name . '/x">two</a> see ' . $name . '<!-- /wp:image -->')));
  $gone = 'O:8:"Gone_Now":2:{s:3:"url";s:' . strlen("$url/ä") . ':"' . $url . '/ä";s:2:"in";a:1:{i:0;s:' . strlen($url) . ':"' . $url . '";}}';
  global $wpdb;
  add_option('planted_object', 'x');
  $wpdb->update($wpdb->options, array('option_value' => $gone), array('option_name' => 'planted_object'));
  add_option('planted', array('u' => $url . '/é', 'deep' => array(serialize(array('in' => $url, 'n' => 1))),
    'json' => json_encode(array('u' => $url)), 'file' => "$files/a.png", 'html' => '<b>' . $url . '</b>', $url => 'key', 'other' => "other.$name.example"));
  update_option('upload_path', $files);
  update_post_meta($post, 'planted', array((object) array('u' => "https://www.$name/y")));
  update_option('widget_text', array(2 => array('title' => 'W', 'text' => "<a href='$url/w'>w</a>"), '_multiwidget' => 1));
  $wpdb->query("CREATE TABLE plain (body LONGTEXT, other VARBINARY(200))");
  foreach (array("$url/1", "$url/1", serialize(array("$url/2"))) as $body) $wpdb->insert('plain', array('body' => $body, 'other' => $body));
  $wpdb->query("INSERT INTO plain VALUES ('$name', CONCAT(X'FF', '$name'))");
  set_transient('planted', $url); set_site_transient('planted', array($url));
  $answer = '/planted/';`;

const READ = `
  global $wpdb;
  $post = get_page_by_path('planted', OBJECT, 'post');
  $answer = array('content' => $post->post_content, 'meta' => get_post_meta($post->ID, 'planted', true), 'option' => get_option('planted'),
    'object' => (array) unserialize(str_replace('Gone_Now', 'stdClass', $wpdb->get_var("SELECT option_value FROM $wpdb->options WHERE option_name = 'planted_object'"))),
    'widget' => get_option('widget_text'), 'home' => home_url('/x'), 'site' => $wpdb->get_col("SELECT option_value FROM $wpdb->options WHERE option_name IN ('siteurl', 'home')"),
    'upload' => wp_upload_dir(null, false)['baseurl'], 'plain' => $wpdb->get_results('SELECT body, HEX(other) <> "" FROM plain WHERE other NOT LIKE "%.test" ORDER BY body'));`;

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
      refusesLanguage:
        /^cannot install \S+ in "tlh_XX": \/usr\/share\/wordpress has the languages "en_US".*; choose one/,
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
    rewriting: {
      plant: async (stage, site) => [String(await wordpress(stage, site, PLANT))],
      read: async (stage, site) => Object(await wordpress(stage, site, READ)),
      // Identifiers of posts, mail addresses, another's name, and bytes that are no text.
      kept: /'http:[^']*\/(?:\?(?:p|page_id)=\d+|(?:wp-global-styles|planted)[^']*)'(?=,0,)|\w+@\w+\.test|other\.\w+\.test\.example|\xff\w+\.test/g,
      timeoutMs: 120_000,
    },
    upgrading: {
      age: async (stage, site) => {
        const version = () => wordpress(stage, site, "$answer = (int) get_option('db_version');");
        const now = await version();
        await wordpress(stage, site, "update_option('db_version', 51917);");
        return async () => (await version()) === now;
      },
      broken: async (stage, site) => {
        const text = "<?php add_action('wp_upgrade', function () { throw new Exception('broken on purpose'); });";
        await stage.host.files.write(pluginPath(stage, site), text, { mode: 0o644 });
      },
      mended: (stage, site) => plugin(stage, site, ''),
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
