import { expect, test } from 'vitest';
import { siteLayout } from '../../host/site-layout.ts';
import { judge, type Verdict } from '../conformance-judge.ts';
import { drupalRules } from './rules.ts';

const SITE = 'site-0123456789abcdef';
const paths = {
  state: '/var/lib/aegir',
  sites: '/var/aegir',
  logs: '/var/log/aegir',
  run: '/run/aegir',
  work: '/work',
};
const platform = { id: 'plat-0123456789abcdef', app: 'drupal', root: '/srv/drupal' };
const rules = drupalRules(platform, siteLayout(paths, SITE));
const page: Verdict = 'file or front controller';

test.each<readonly [string, Verdict]>([
  ['/', page],
  ['/node/1', page],
  ['/admin/modules', page],
  ['/system/files/private.pdf', page],
  ['/user/reset/1/2/3/login', page],
  ['/sites', page],
  ['/index.php', 'php'],
  ['/cron.php', 'php'],
  ['/core/modules/statistics/statistics.php', 'php'],
  ['/core/misc/drupal.js', page],
  ['/core/themes/olivero/logo.svg', page],
  ['/themes/custom/x/style.css', page],
  ['/robots.txt', page],
  ['/.well-known/security.txt', page],
  ['/sites/all/modules/views/views.css', page],
  [`/sites/${SITE}/themes/own/style.css`, page],
  [`/sites/${SITE}/files/photo.jpg`, 'upload'],
  [`/sites/${SITE}/files/styles/large/public/photo.jpg`, 'upload'],
  [`/sites/${SITE}/files/evil.php`, 'denied'],
  [`/sites/${SITE}/files/evil.PHTML`, 'denied'],
  [`/sites/${SITE}/files/.htaccess`, 'denied'],
  [`/sites/${SITE}/files/php/twig/x/y.php`, 'denied'],
  [`/sites/${SITE}/files/config_abc/sync/core.extension.yml`, 'denied'],
  [`/sites/${SITE}/private/x.pdf`, 'denied'],
  [`/sites/${SITE}/settings.php`, 'denied'],
  [`/sites/${SITE}/names.php`, 'denied'],
  ['/sites/default/files/photo.jpg', 'denied'],
  ['/sites/site-ffffffffffffffff/files/photo.jpg', 'denied'],
  [`/sites/${SITE}x/files/photo.jpg`, 'denied'],
  ['/sites/sites.php', 'denied'],
  ['/install.php', 'denied'],
  ['/core/install.php', 'denied'],
  ['/core/INSTALL.PHP', 'denied'],
  ['/update.php', 'denied'],
  ['/update.php/selection', 'denied'],
  ['/core/authorize.php', 'denied'],
  ['/core/rebuild.php', 'denied'],
  ['/core/modules/system/tests/http.php', 'denied'],
  ['/autoload.php', 'denied'],
  ['/vendor/composer/installed.json', 'denied'],
  ['/modules/contrib/x/x.module', 'denied'],
  ['/modules/contrib/x/x.module.bak', 'denied'],
  ['/includes/bootstrap.inc', 'denied'],
  ['/core/core.services.yml', 'denied'],
  ['/themes/x/page.html.twig', 'denied'],
  ['/themes/x/page.tpl.php', 'denied'],
  ['/dump.mysql', 'denied'],
  ['/dump.sql.gz', 'denied'],
  ['/composer.lock', 'denied'],
  ['/sub/composer.json', 'denied'],
  ['/web.config', 'denied'],
  ['/index.php~', 'denied'],
  ['/index.php.swp', 'denied'],
  ['/.git/config', 'denied'],
  ['/CHANGELOG.txt', 'denied'],
  ['/core/INSTALL.mysql.txt', 'denied'],
])('%s is %s', (path, verdict) => {
  expect(judge(rules, path)).toBe(verdict);
});

test('PHP may open the code base and knows its site from a file that nobody else can write', () => {
  expect(rules.php?.openBasedir).toEqual(['/srv/drupal']);
  expect(rules.php?.prepend).toBe(`/var/aegir/${SITE}/config/prepend.php`);
  expect(rules.docroot).toBe(`/var/aegir/${SITE}/docroot/code`);
});
