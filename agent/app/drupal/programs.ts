// PHP programs that drive a site's Drupal by its own functions, where the code base has no drush. Constant text: what varies
// comes as $in. Each stands in the code base's document root and says which site it means.
import { SITE_VARIABLE } from './sites-php.ts';

/** The request of the site's home page, as Drupal and sites.php see it. */
export const REQUEST = `
chdir($in['docroot']);
putenv('${SITE_VARIABLE}=' . $in['siteId']);
$url = parse_url($in['url']);
$_SERVER['HTTP_HOST'] = $url['host'] . (isset($url['port']) ? ':' . $url['port'] : '');
$_SERVER['SERVER_NAME'] = $url['host'];
$_SERVER['SERVER_PORT'] = isset($url['port']) ? $url['port'] : ($url['scheme'] === 'https' ? 443 : 80);
if ($url['scheme'] === 'https') $_SERVER['HTTPS'] = 'on';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
// Drupal 7 takes it for the web, and answers with a cached page, when this one is set.
$_SERVER['SERVER_SOFTWARE'] = NULL;
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['REQUEST_URI'] = '/';
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';
$_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = '/index.php';
$_SERVER['SCRIPT_FILENAME'] = $in['docroot'] . '/index.php';
`;

/** Thrown away: the way in is a login link. */
const ACCOUNT = `
$password = bin2hex(random_bytes(24));
$configure = array(
  'site_name' => $in['title'],
  'site_mail' => $in['adminMail'],
  'account' => array(
    'name' => $in['adminName'],
    'mail' => $in['adminMail'],
    'pass' => array('pass1' => $password, 'pass2' => $password),
  ),
  'clean_url' => TRUE,
);
`;

export const INSTALL_SEVEN = `${REQUEST}${ACCOUNT}
define('DRUPAL_ROOT', getcwd());
define('MAINTENANCE_MODE', 'install');
require_once DRUPAL_ROOT . '/includes/install.core.inc';
install_drupal(array(
  'interactive' => FALSE,
  'server' => array('url' => $in['url'] . '/install.php', 'HTTP_HOST' => $_SERVER['HTTP_HOST'], 'SCRIPT_NAME' => '/install.php'),
  'parameters' => array('profile' => $in['profile'], 'locale' => $in['locale']),
  'forms' => array('install_configure_form' => $configure + array('update_status_module' => array(1 => TRUE, 2 => NULL))),
));
answer(array('version' => VERSION));
`;

export const INSTALL_MODERN = `${REQUEST}${ACCOUNT}
define('MAINTENANCE_MODE', 'install');
$loader = require 'autoload.php';
require_once 'core/includes/install.core.inc';
install_drupal($loader, array(
  'interactive' => FALSE,
  'site_path' => 'sites/' . $in['siteId'],
  'parameters' => array('profile' => $in['profile'], 'langcode' => $in['locale']),
  // A box of a form is left empty by NULL, not by FALSE.
  'forms' => array('install_configure_form' => $configure + array('enable_update_status_module' => TRUE, 'enable_update_status_emails' => NULL)),
));
answer(array('version' => Drupal::VERSION));
`;

export const LOGIN_SEVEN = `${REQUEST}
define('DRUPAL_ROOT', getcwd());
require_once DRUPAL_ROOT . '/includes/bootstrap.inc';
drupal_bootstrap(DRUPAL_BOOTSTRAP_FULL);
if ($in['account'] === '') $user = user_load(1);
else {
  $user = user_load_by_name($in['account']);
  if (!$user) $user = user_load_by_mail($in['account']);
}
if (!$user || !$user->uid) { answer(array('missing' => TRUE)); exit(0); }
if (!$user->status) { answer(array('blocked' => TRUE)); exit(0); }
// A link for somebody who never logged in does not end by itself; one moment in 1970 makes it.
if (!$user->login) {
  db_update('users')->fields(array('login' => 1))->condition('uid', $user->uid)->execute();
  $user->login = 1;
}
answer(array(
  'url' => user_pass_reset_url($user) . '/login',
  'expires' => REQUEST_TIME + (int) variable_get('user_password_reset_timeout', 86400),
));
`;

export const LOGIN_MODERN = `${REQUEST}
$loader = require 'autoload.php';
$request = Symfony\\Component\\HttpFoundation\\Request::createFromGlobals();
$kernel = Drupal\\Core\\DrupalKernel::createFromRequest($request, $loader, 'prod', FALSE, $in['docroot']);
$kernel->boot();
$kernel->preHandle($request);
$container = $kernel->getContainer();
if ($container->get('request_stack')->getCurrentRequest() === NULL) $container->get('request_stack')->push($request);
$container->get('router.request_context')->fromRequest($request);
$storage = $container->get('entity_type.manager')->getStorage('user');
if ($in['account'] === '') $user = $storage->load(1);
else {
  $found = $storage->loadByProperties(array('name' => $in['account'])) ?: $storage->loadByProperties(array('mail' => $in['account']));
  $user = reset($found);
}
if (!$user || !$user->id()) { answer(array('missing' => TRUE)); exit(0); }
if ($user->isBlocked()) { answer(array('blocked' => TRUE)); exit(0); }
// In older cores a link for somebody who never logged in does not end by itself; one moment in 1970 makes it.
if (!$user->getLastLoginTime()) {
  $user->setLastLoginTime(1);
  $storage->updateLastLoginTimestamp($user);
}
$now = time();
$url = Drupal\\Core\\Url::fromRoute('user.reset.login', array(
  'uid' => $user->id(),
  'timestamp' => $now,
  'hash' => user_pass_rehash($user, $now),
), array(
  'absolute' => TRUE,
  'language' => $container->get('language_manager')->getLanguage($user->getPreferredLangcode()),
))->toString(TRUE)->getGeneratedUrl();
answer(array('url' => $url, 'expires' => $now + (int) $container->get('config.factory')->get('user.settings')->get('password_reset_timeout')));
`;

/** Answers false when another run holds Drupal's own lock. */
export const CRON_SEVEN = `${REQUEST}
define('DRUPAL_ROOT', getcwd());
require_once DRUPAL_ROOT . '/includes/bootstrap.inc';
drupal_bootstrap(DRUPAL_BOOTSTRAP_FULL);
answer(array('ran' => (bool) drupal_cron_run()));
`;

export const CRON_MODERN = `${REQUEST}
$loader = require 'autoload.php';
$request = Symfony\\Component\\HttpFoundation\\Request::createFromGlobals();
$kernel = Drupal\\Core\\DrupalKernel::createFromRequest($request, $loader, 'prod', FALSE, $in['docroot']);
$kernel->boot();
$kernel->preHandle($request);
$container = $kernel->getContainer();
if ($container->get('request_stack')->getCurrentRequest() === NULL) $container->get('request_stack')->push($request);
$container->get('router.request_context')->fromRequest($request);
answer(array('ran' => (bool) $container->get('cron')->run()));
`;
