// Drupal as one of the apps, on a real code base: AEGIR_DRUPAL_CODE names one or more (with ":" between); it is copied,
// never written to. What has a drush of its own is installed by it, and then again by Drupal's own installer; each on
// MariaDB and on PostgreSQL.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import type { SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import { runCron } from '../../cron/run-cron.ts';
import { createMariadbEngine } from '../../engine/db/mariadb/engine.ts';
import { createPostgresqlEngine } from '../../engine/db/postgresql/engine.ts';
import { createNginxEngine } from '../../engine/http/nginx/engine.ts';
import { planAccount, planAccountRemoval } from '../../site/account.ts';
import { createApps } from '../apps.ts';
import { describeApp } from '../conformance.ts';
import { writeCode } from '../conformance-code.ts';
import type { Stage } from '../conformance-stage.ts';
import { runPhp } from '../php-cli.ts';
import { createDrupalApp } from './app.ts';
import { REQUEST } from './programs.ts';

const roots = (process.env['AEGIR_DRUPAL_CODE'] ?? '').split(':').filter((root) => root !== '');
const common = { http: createNginxEngine(), planAccount, planAccountRemoval, runCron };
const PLAIN = { password: 'plain-Password_42' };
// Drupal doubles backslashes in a password for PostgreSQL, against a bug that PHP has no more.
const ODD = { password: `a'b"c$d{$f}\`id\`?><?php#/*%s;--` };
const databases = [
  { db: createMariadbEngine(), own: {} },
  { db: createPostgresqlEngine(), own: ODD },
];

/** When its cron ran last, as Drupal keeps it: a serialized number. */
const FORGET_SEVEN = "DELETE FROM variable WHERE name = 'cron_last'";
const LAST_SEVEN = "SELECT count(*) FROM variable WHERE name = 'cron_last'";
const LAST_MODERN = "SELECT count(*) FROM key_value WHERE collection = 'state' AND name = 'system.cron_last'";
const FORGET_MODERN = LAST_MODERN.replace('SELECT count(*)', 'DELETE');
const PASSWORD = "$databases['default']['default']['password']";

/** Answers the one number of a query; 0 when it has none. */
async function sql(stage: Stage, site: SiteSpec, query: string): Promise<number> {
  const program = `$in = json_decode(stream_get_contents(STDIN), true); $db = $in['db'];
    $pdo = new PDO("$db[driver]:host=$db[host];port=$db[port];dbname=$db[database]", $db['user'], $db['password']);
    $pdo->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
    $found = $pdo->query($in['query']); echo $found->columnCount() > 0 ? $found->fetchColumn() : 0;`;
  const input = JSON.stringify({ db: site.db, query });
  const { code, stdout, stderr } = await stage.host.run({ argv: ['php', '-r', program], input });
  if (code !== 0) throw new Error(`cannot ask the database: ${stderr}${stdout}`);
  return Number(stdout);
}

/** An operator's own settings; visitors are not troubled by them. */
async function local(stage: Stage, site: SiteSpec, code: string): Promise<void> {
  const path = join(stage.layout(site).config, 'local.settings.php');
  await stage.host.files.write(path, `<?php if (PHP_SAPI === 'cli') { ${code} }`, { mode: 0o644 });
}

const BOOT_SEVEN = `${REQUEST} define('DRUPAL_ROOT', getcwd()); require_once DRUPAL_ROOT . '/includes/bootstrap.inc';
  drupal_bootstrap(DRUPAL_BOOTSTRAP_FULL);`;
const BOOT_MODERN = `${REQUEST} $loader = require 'autoload.php';
  $request = Symfony\\Component\\HttpFoundation\\Request::createFromGlobals();
  $kernel = Drupal\\Core\\DrupalKernel::createFromRequest($request, $loader, 'prod', FALSE, $in['docroot']);
  $kernel->boot(); $kernel->preHandle($request); $kernel->getContainer()->get('request_stack')->push($request);`;

const AGE_SEVEN = `module_enable(array('conformance')); include_once DRUPAL_ROOT . '/includes/install.inc';
  drupal_set_installed_schema_version('conformance', 7000); answer(1);`;
const VERSION_SEVEN = `include_once DRUPAL_ROOT . '/includes/install.inc'; answer((int) drupal_get_installed_schema_version('conformance', TRUE));`;
const AGE_MODERN = `Drupal::service('module_installer')->install(array('conformance'));
  Drupal::keyValue('system.schema')->set('conformance', 8000); answer(1);`;
const VERSION_MODERN = `answer((int) Drupal::keyValue('system.schema')->get('conformance'));`;

const BODY = `"<a href='$in[url]/x'>one</a> <a href='//www.$in[name]/y'>two</a> <img src='/sites/$in[siteId]/files/a.png'> see $in[name]"`;
const VALUE = `array('u' => "$in[url]/é", 'deep' => array(serialize(array('in' => $in['url'], 'n' => 1))), 'json' => json_encode(array('u' => $in['url'])),
  'object' => (object) array('u' => "https://www.$in[name]/y"), 'file' => "$in[files]/a.png", 'other' => "other.$in[name].example", $in['url'] => 'key')`;

const PLANT_SEVEN = `
  $node = (object) array('type' => 'page', 'title' => 'Planted', 'language' => LANGUAGE_NONE, 'uid' => 1, 'status' => 1, 'promote' => 1);
  $node->body[LANGUAGE_NONE][0] = array('value' => ${BODY}, 'format' => 'full_html');
  node_save($node);
  variable_set('planted', ${VALUE});
  cache_set('planted', $in['url']);
  answer('/node/' . $node->nid);`;
const READ_SEVEN = `
  $node = node_load(db_query("SELECT nid FROM {node} WHERE title = 'Planted'")->fetchField());
  answer(array('body' => $node->body[LANGUAGE_NONE][0]['value'], 'variable' => variable_get('planted'), 'home' => url('<front>', array('absolute' => TRUE))));`;
const PLANT_MODERN = `
  $node = Drupal\\node\\Entity\\Node::create(array('type' => 'page', 'title' => 'Planted', 'uid' => 1, 'status' => 1, 'promote' => 1,
    'body' => array('value' => ${BODY}, 'format' => 'full_html')));
  $node->save();
  Drupal::state()->set('planted', ${VALUE});
  Drupal::configFactory()->getEditable('system.site')->set('slogan', $in['url'])->save();
  answer('/node/' . $node->id());`;
const READ_MODERN = `
  $nodes = Drupal::entityTypeManager()->getStorage('node')->loadByProperties(array('title' => 'Planted'));
  answer(array('body' => reset($nodes)->body->value, 'state' => Drupal::state()->get('planted'), 'slogan' => Drupal::config('system.site')->get('slogan'),
    'home' => Drupal\\Core\\Url::fromRoute('<front>', array(), array('absolute' => TRUE))->toString(TRUE)->getGeneratedUrl()));`;

/** Runs a program with the site's Drupal loaded. */
function drupal(stage: Stage, site: SiteSpec, docroot: string, code: string): Promise<unknown> {
  const layout = stage.layout(site);
  const { id: siteId, url, name } = site;
  return runPhp(code, { docroot, siteId, url, name, files: layout.files }, layout, 'try Drupal', stage.ctx);
}

/** A module of the code base; its update does what it is told. */
async function writeModule(stage: Stage, docroot: string, seven: boolean, update: string): Promise<void> {
  const at = join(docroot, seven ? 'sites/all/modules' : 'modules', 'conformance');
  const number = seven ? 7001 : 8001;
  await writeCode(stage.host.files, at, {
    ...(seven
      ? { 'conformance.info': 'name = Conformance\ncore = 7.x\n' }
      : { 'conformance.info.yml': 'name: Conformance\ntype: module\ncore_version_requirement: ">=8.7.7"\n' }),
    'conformance.module': '<?php\n',
    'conformance.install': `<?php\n/** Conformance. */\nfunction conformance_update_${number}() { ${update} }\n`,
  });
}

if (roots.length === 0) {
  const why = 'set AEGIR_DRUPAL_CODE to the path of a Drupal code base to run these tests';
  console.warn(`app drupal is not tested against real code: ${why}`);
  describe('app drupal', () => {
    test.skip(why, () => {});
  });
}

for (const source of roots) {
  const place = ['.', 'web', 'docroot'].find((each) => existsSync(join(source, each, 'sites'))) ?? '.';
  const seven = existsSync(join(source, place, 'includes/bootstrap.inc'));
  const file = join(source, place, seven ? 'includes/bootstrap.inc' : 'core/lib/Drupal.php');
  const version = /VERSION(?:',| =) '([^']+)'/.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
  const drush = existsSync(join(source, 'vendor/drush/drush/drush.php'));
  const ways = [
    ...(drush ? [{ by: 'drush', says: /installing by \S+drush\.php/, password: PLAIN }] : []),
    { by: 'its own installer', says: /by Drupal's own installer/, password: {} },
  ];
  const at = (site: SiteSpec) => join(site.platform?.root ?? '', place);
  const cases = databases.flatMap(({ db, own }) => ways.map((way) => ({ ...way, on: db.name, db, own })));
  describe.each(cases)(`${source}, Drupal ${version}, installed by $by on $on`, ({ says, password, db, own }) => {
    describeApp({
      ...own,
      ...password,
      app: createDrupalApp(),
      apps: createApps(),
      world: { ...common, db },
      needsDatabase: true,
      code: async (dir) => {
        // Hard links are quick, and nothing that Aegir writes goes through them.
        const copy = join(dir, 'code');
        try {
          execFileSync('cp', ['-al', source, copy]);
        } catch {
          execFileSync('cp', ['-a', source, copy]);
        }
        return copy;
      },
      version: new RegExp(`^${version.replaceAll('.', '\\.')}$`),
      docroot: (root) => join(root, place),
      settings: {
        read: `$app_root = '/x'; $site_path = 'y'; $databases = $settings = $conf = $config = array();
          require $site['docroot'] . '/own/settings.php';
          $db = $databases['default']['default'];
          $found = array($db['password'], $db['username'], $db['database'], $db['host'], $db['port'])`,
        expected: ({ db }) => [db?.password, db?.user, db?.database, db?.host, db?.port],
      },
      spoil: (stage, site) => join(stage.layout(site).docroot, 'own/settings.php'),
      uploads: (site) => `/sites/${site.id}/files/`,
      denied: [
        '/core/install.php',
        '/install.php',
        '/update.php',
        '/update.php/selection',
        '/core/authorize.php',
        '/core/rebuild.php',
        '/authorize.php',
        '/autoload.php',
        '/core/includes/bootstrap.inc',
        '/includes/bootstrap.inc',
        '/core/core.services.yml',
        '/composer.json',
        '/web.config',
        '/core/CHANGELOG.txt',
        '/CHANGELOG.txt',
        '/.htaccess',
        '/sites/default/settings.php',
        '/sites/default/default.settings.php',
        '/sites/site-00000000000000aa/settings.php',
        '/sites/site-00000000000000aa/names.php',
        '/sites/sites.php',
        '/sites/aegir.sites.php',
        '/vendor/autoload.php',
        '/core/modules/node/node.module',
        '/modules/node/node.module',
        '/core/modules/node/node.info.yml',
        '/modules/node/node.info',
        '/core/modules/system/tests/http.php',
        '/core/lib/Drupal.php',
        '/scripts/drupal.sh',
      ],
      cron: {
        due: async (stage, site) => {
          await sql(stage, site, seven ? FORGET_SEVEN : FORGET_MODERN);
          return async () => ((await sql(stage, site, seven ? LAST_SEVEN : LAST_MODERN)) === 0 ? 0 : 1);
        },
        broken: (stage, site) => local(stage, site, `throw new Exception('broken on purpose ' . ${PASSWORD});`),
        mended: (stage, site) => local(stage, site, ''),
        timeoutMs: 120_000,
      },
      rewriting: {
        plant: async (stage, site) => [
          String(await drupal(stage, site, at(site), seven ? BOOT_SEVEN + PLANT_SEVEN : BOOT_MODERN + PLANT_MODERN)),
        ],
        read: async (stage, site) =>
          Object(await drupal(stage, site, at(site), seven ? BOOT_SEVEN + READ_SEVEN : BOOT_MODERN + READ_MODERN)),
        // Mail addresses, and another's name.
        kept: /\w+@\w+\.test|other\.\w+\.test\.example/g,
        timeoutMs: 300_000,
      },
      upgrading: {
        age: async (stage, site) => {
          await writeModule(stage, at(site), seven, '');
          const say = (code: string) => drupal(stage, site, at(site), (seven ? BOOT_SEVEN : BOOT_MODERN) + code);
          await say(seven ? AGE_SEVEN : AGE_MODERN);
          return async () => (await say(seven ? VERSION_SEVEN : VERSION_MODERN)) === (seven ? 7001 : 8001);
        },
        broken: (stage, site) => writeModule(stage, at(site), seven, "throw new Exception('broken on purpose');"),
        mended: (stage, site) => writeModule(stage, at(site), seven, ''),
        timeoutMs: 300_000,
      },
      open: [[seven ? '/misc/drupal.js' : '/core/misc/drupal.js', /javascript/]],
      installing: { ownPage: seven ? '/user' : '/user/1', loggedIn: /user\/logout/, says, timeoutMs: 300_000 },
    });
  });
}
