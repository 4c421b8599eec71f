// PHP programs that bring a site's database to its code, and throw away what was computed, by Drupal's own functions.
// Constant text: what varies comes as $in.
import { REQUEST } from './programs.ts';

/** As update.php does it: each update goes on until it says that it is done; the first that fails ends it. */
const RUN = `
function aegir_run($function, $arguments, $module, $name) {
  $context = array('sandbox' => array(), 'results' => array(), 'message' => '');
  do {
    $context['finished'] = 1;
    call_user_func_array($function, array_merge($arguments, array(&$context)));
    $abort = isset($context['results'][$module][$name]['#abort']) ? $context['results'][$module][$name]['#abort'] : NULL;
    if ($abort) throw new Exception($module . ' ' . $name . ': ' . html_entity_decode(strip_tags((string) $abort['query']), ENT_QUOTES));
  } while ($context['finished'] < 1);
}
function aegir_hooks() {
  $found = array('start' => array(), 'pending' => 0);
  foreach (update_get_update_list() as $module => $list) {
    if (isset($list['warning'])) throw new Exception(strip_tags((string) $list['warning']));
    if (empty($list['pending'])) continue;
    $found['start'][$module] = $list['start'];
    $found['pending'] += count($list['pending']);
  }
  return $found;
}
function aegir_update($start, $set) {
  foreach (update_resolve_dependencies($start) as $function => $update) {
    if (!$update['allowed']) throw new Exception($function . ' cannot run: it needs ' . implode(', ', $update['missing_dependencies']));
    // Where its updates begin.
    if (isset($start[$update['module']])) {
      $set($update['module'], $update['number'] - 1);
      unset($start[$update['module']]);
    }
    aegir_run('update_do_one', array($update['module'], $update['number'], array()), $update['module'], $update['number']);
  }
}
`;

const SEVEN = `${REQUEST}
define('DRUPAL_ROOT', getcwd());
define('MAINTENANCE_MODE', 'update');
require_once DRUPAL_ROOT . '/includes/bootstrap.inc';
require_once DRUPAL_ROOT . '/includes/update.inc';
require_once DRUPAL_ROOT . '/includes/common.inc';
require_once DRUPAL_ROOT . '/includes/file.inc';
require_once DRUPAL_ROOT . '/includes/entity.inc';
require_once DRUPAL_ROOT . '/includes/unicode.inc';
require_once DRUPAL_ROOT . '/includes/install.inc';
update_prepare_d7_bootstrap();
drupal_bootstrap(DRUPAL_BOOTSTRAP_FULL);
drupal_load_updates();
${RUN}
`;

/** Its kernel compiles everything anew: what is kept may be of other code. */
const MODERN = `${REQUEST}
$loader = require 'autoload.php';
$request = Symfony\\Component\\HttpFoundation\\Request::createFromGlobals();
define('MAINTENANCE_MODE', 'update');
$kernel = Drupal\\Core\\Update\\UpdateKernel::createFromRequest($request, $loader, 'prod', FALSE, $in['docroot']);
$kernel->boot();
$kernel->preHandle($request);
$container = $kernel->getContainer();
if ($container->get('request_stack')->getCurrentRequest() === NULL) $container->get('request_stack')->push($request);
$container->get('router.request_context')->fromRequest($request);
require_once 'core/includes/install.inc';
require_once 'core/includes/update.inc';
drupal_load_updates();
${RUN}
function aegir_posts() { return Drupal::service('update.post_update_registry')->getPendingUpdateFunctions(); }
`;

/** Each answers how many updates are pending. */
export const PENDING_SEVEN = `${SEVEN}$hooks = aegir_hooks(); answer(array('pending' => $hooks['pending']));`;
export const PENDING_MODERN = `${MODERN}$hooks = aegir_hooks(); answer(array('pending' => $hooks['pending'] + count(aegir_posts())));`;

export const UPDATE_SEVEN = `${SEVEN}
update_fix_compatibility();
$hooks = aegir_hooks();
aegir_update($hooks['start'], 'drupal_set_installed_schema_version');
answer(array());
`;

export const UPDATE_MODERN = `${MODERN}
if (function_exists('update_fix_compatibility')) update_fix_compatibility();
$hooks = aegir_hooks();
aegir_update($hooks['start'], function ($module, $version) {
  if (Drupal::hasService('update.update_hook_registry')) Drupal::service('update.update_hook_registry')->setInstalledVersion($module, $version);
  else drupal_set_installed_schema_version($module, $version);
});
drupal_flush_all_caches();
foreach (aegir_posts() as $function) {
  [$module, $name] = explode('_post_update_', $function, 2);
  aegir_run('update_invoke_post_update', array($function), $module, $name);
}
answer(array());
`;

export const REBUILD_SEVEN = `${REQUEST}
define('DRUPAL_ROOT', getcwd());
require_once DRUPAL_ROOT . '/includes/bootstrap.inc';
drupal_bootstrap(DRUPAL_BOOTSTRAP_FULL);
drupal_flush_all_caches();
answer(array());
`;

/** As core/rebuild.php and "drush cache:rebuild" do it: also where what is kept keeps Drupal from beginning. */
export const REBUILD_MODERN = `${REQUEST}
$loader = require 'autoload.php';
require_once 'core/includes/utility.inc';
drupal_rebuild($loader, Symfony\\Component\\HttpFoundation\\Request::createFromGlobals());
answer(array());
`;
