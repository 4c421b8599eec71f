// PHP programs that load the site's WordPress from the command line. Constant text: what varies comes as $in.

/** WordPress as for a request of its home page. */
const REQUEST = `
$_SERVER['HTTP_HOST'] = $in['host'];
$_SERVER['SERVER_NAME'] = $in['host'];
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['REQUEST_URI'] = '/';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
require $in['prepend'];
`;

/** The same without mails. */
const LOAD = `function wp_mail() { return true; }${REQUEST}`;

export const INSTALL = `${LOAD}
define('WP_INSTALLING', true);
function wp_new_blog_notification() {}
require ABSPATH . 'wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
// WordPress would take any other for English, and say nothing.
$languages = get_available_languages();
if ($in['locale'] !== '' && $in['locale'] !== 'en_US' && !in_array($in['locale'], $languages, true)) {
  sort($languages);
  answer(array('languages' => array_slice($languages, 0, 50)));
  exit(0);
}
// Thrown away: the way in is a login link.
$password = bin2hex(random_bytes(24));
wp_install($in['title'], $in['adminName'], $in['adminMail'], true, '', $password, $in['locale']);
global $wp_rewrite;
$wp_rewrite->init();
$wp_rewrite->set_permalink_structure('/%postname%/');
delete_option('rewrite_rules');
// Last of all: what has this option is installed whole.
if (!add_option('aegir_installed', $in['siteId'], '', 'no')) throw new Exception('the marker could not be written');
answer(array('version' => get_bloginfo('version')));
`;

export const LOGIN = `${LOAD}
require ABSPATH . 'wp-load.php';
global $wpdb;
if ($in['account'] === '') {
  $found = get_users(array('role' => 'administrator', 'orderby' => 'ID', 'number' => 1));
  $user = $found ? $found[0] : false;
} else {
  $user = get_user_by('login', $in['account']);
  if (!$user) $user = get_user_by('email', $in['account']);
}
if (!$user) { answer(array('missing' => true)); exit(0); }
foreach ($wpdb->get_results($wpdb->prepare("SELECT option_name, option_value FROM {$wpdb->options} WHERE option_name LIKE %s", $wpdb->esc_like($in['option']) . '%')) as $old) {
  $leave = json_decode($old->option_value, true);
  if (!is_array($leave) || $leave['expires'] < time()) $wpdb->delete($wpdb->options, array('option_name' => $old->option_name));
}
$row = array('option_name' => $in['option'] . $in['hash'], 'option_value' => json_encode(array('user' => $user->ID, 'expires' => $in['expires'])), 'autoload' => 'no');
if ($wpdb->insert($wpdb->options, $row) !== 1) throw new Exception('the link could not be kept');
answer(array('login' => $user->user_login));
`;

/**
 * As wp-cron.php does it. That one cannot be run by itself: it would look for the site's configuration in the shared code
 * base. Each event is put off, or taken out, before it runs: one that fails does not keep the others from running next time.
 */
export const CRON = `${REQUEST}
define('DOING_CRON', true);
require ABSPATH . 'wp-load.php';
ignore_user_abort(true);
$lock = sprintf('%.22F', microtime(true));
set_transient('doing_cron', $lock);
$ran = array();
foreach (_get_cron_array() ?: array() as $time => $hooks) {
  if ($time > time()) break;
  foreach ($hooks as $hook => $events) {
    foreach ($events as $event) {
      if ($event['schedule']) wp_reschedule_event($time, $event['schedule'], $hook, $event['args']);
      wp_unschedule_event($time, $hook, $event['args']);
      do_action_ref_array($hook, $event['args']);
      $ran[] = $hook;
    }
  }
}
if (get_transient('doing_cron') === $lock) delete_transient('doing_cron');
answer(array('ran' => $ran));
`;

/**
 * Before a copied database is rewritten, without the code of its plugins: what was computed for the old site goes, and so
 * do login links of it; its URL and paths are the site's own.
 */
export const SETTLE = `mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$at = $in['db'];
try {
  $db = mysqli_init();
  $db->options(MYSQLI_OPT_CONNECT_TIMEOUT, 10);
  $db->real_connect($at['socket'] === '' ? $at['host'] : 'localhost', $at['user'], $at['password'], $at['database'], $at['port'] ?: null, $at['socket'] ?: null);
  $db->set_charset('utf8mb4');
} catch (mysqli_sql_exception $e) { answer(array('error' => $e->getCode())); exit(0); }
function ask($db, $sql, $values) {
  $ask = $db->prepare($sql);
  if ($values) $ask->bind_param(str_repeat('s', count($values)), ...$values);
  $ask->execute();
  return $ask->get_result();
}
$options = $in['options'];
$login = strtr($in['login'], array('_' => '!_')) . '%';
ask($db, "DELETE FROM $options WHERE option_name LIKE '!_transient!_%' ESCAPE '!' OR option_name LIKE '!_site!_transient!_%' ESCAPE '!' OR option_name LIKE ? ESCAPE '!'", array($login));
if (ask($db, 'SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?', array($in['siteOptions']))->fetch_row() !== null) {
  ask($db, "DELETE FROM $in[siteOptions] WHERE meta_key LIKE '!_site!_transient!_%' ESCAPE '!'", array());
}
ask($db, "UPDATE $options SET option_value = ? WHERE option_name IN ('siteurl', 'home') AND option_value <> ?", array($in['url'], $in['url']));
// A path on the server that the site came from; empty means what it is here.
$path = ask($db, "SELECT option_value FROM $options WHERE option_name = 'upload_path'", array())->fetch_row()[0] ?? '';
$own = array_filter($in['own'], fn($directory) => strpos($path . '/', $directory) === 0);
if ($path !== '' && $path[0] === '/' && !$own) ask($db, "UPDATE $options SET option_value = '' WHERE option_name = 'upload_path'", array());
answer(array());
`;

/** What WordPress does when an administrator opens it after its code was changed. */
export const UPGRADE = `${LOAD}
define('WP_INSTALLING', true);
require ABSPATH . 'wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
global $wp_db_version;
wp_cache_flush();
$from = (int) get_option('db_version');
if ($from === (int) $wp_db_version) { answer(array('done' => false)); exit(0); }
if ($from > (int) $wp_db_version) { answer(array('newer' => true)); exit(0); }
$GLOBALS['wp_current_db_version'] = $from;
wp_upgrade();
wp_cache_flush();
$to = (int) get_option('db_version');
if ($to !== (int) $wp_db_version) throw new Exception("the version of the database is $to after it, and not $wp_db_version");
answer(array('done' => true, 'from' => $from, 'to' => $to, 'version' => $GLOBALS['wp_version']));
`;
