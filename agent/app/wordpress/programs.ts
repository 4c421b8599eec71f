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
