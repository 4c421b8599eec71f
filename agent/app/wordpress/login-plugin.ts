// The must-use plugin behind one-time login links. A link works once: whoever deletes its row logs in, and only one can.

export const LOGIN_OPTION = 'aegir_login_';

export const LOGIN_PLUGIN = `<?php
/*
Plugin Name: Aegir login
Description: One-time login links made by Aegir. Tokens are kept as hashes, work once and end after ten minutes.
*/
if (!defined('ABSPATH')) exit;
add_action('init', function () {
  if (!isset($_GET['aegir-login'])) return;
  nocache_headers();
  header('Cache-Control: no-store, private');
  header('Referrer-Policy: no-referrer');
  header('X-Robots-Tag: noindex');
  $refuse = function () {
    wp_die('This login link was used already or has ended. Ask for a new one.', 'Login link', array('response' => 403));
  };
  $token = $_GET['aegir-login'];
  // A HEAD request of a link checker must not use the link up.
  if ($_SERVER['REQUEST_METHOD'] !== 'GET' || !is_string($token) || !preg_match('/^[A-Za-z0-9_-]{43}$/', $token)) $refuse();
  global $wpdb;
  $name = '${LOGIN_OPTION}' . hash('sha256', $token);
  $row = $wpdb->get_var($wpdb->prepare("SELECT option_value FROM {$wpdb->options} WHERE option_name = %s", $name));
  $deleted = $wpdb->query($wpdb->prepare("DELETE FROM {$wpdb->options} WHERE option_name = %s", $name));
  $leave = is_string($row) && $deleted === 1 ? json_decode($row, true) : null;
  if (!is_array($leave) || $leave['expires'] < time()) $refuse();
  $user = get_user_by('id', $leave['user']);
  if (!$user) $refuse();
  wp_clear_auth_cookie();
  wp_set_current_user($user->ID);
  wp_set_auth_cookie($user->ID, false);
  do_action('wp_login', $user->user_login, $user);
  wp_safe_redirect(admin_url());
  exit;
}, 0);
`;
