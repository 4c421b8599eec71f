// Renders PHP-FPM configuration: one pool per site, and the base file that keeps a master alive that has no sites. Pure;
// every value is checked on its way in.
import type { SiteLayout } from '../../../host/site-layout.ts';
import { type Manifest, renderManifest } from '../config/manifest.ts';
import { configPath, configSiteId, configSocket } from '../config/quote.ts';
import type { PhpLimits } from './limits.ts';

export interface Pool {
  readonly siteId: string;
  readonly layout: SiteLayout;
  readonly docroot: string;
  readonly limits: PhpLimits;
  /** auto_prepend_file; absolute. */
  readonly prepend: string | undefined;
  /** Directories the pool may open besides the site's own and the docroot. */
  readonly openBasedir: readonly string[];
  /** Whose processes connect to the socket; undefined on hosts where everything runs as one user. */
  readonly owners: { readonly user: string; readonly webUser: string } | undefined;
}

export function renderPool(pool: Pool): string {
  const { layout, limits } = pool;
  const name = configSiteId(pool.siteId);
  const tmp = value(layout.tmp, 'temporary directory');
  return `; PHP pool of ${name}. Written by Aegir, which restores it when it is changed by hand.
[${name}]
${owners(pool)}listen = "${configSocket(layout.socket, 'socket of the pool')}"
listen.mode = 0660

pm = ondemand
pm.max_children = ${limits.children}
pm.process_idle_timeout = 30s
; Whatever an extension leaks is bounded.
pm.max_requests = 1000
request_terminate_timeout = ${limits.wallSeconds}s

clear_env = yes
env[PATH] = "/usr/local/bin:/usr/bin:/bin"
env[HOME] = ${value(layout.root, 'directory of the site')}
env[TMPDIR] = ${tmp}
security.limit_extensions = .php

php_admin_value[open_basedir] = "${openBasedir(pool)}"
php_admin_value[upload_tmp_dir] = ${tmp}
php_admin_value[sys_temp_dir] = ${tmp}
php_admin_value[soap.wsdl_cache_dir] = ${tmp}
php_admin_value[session.save_path] = ${value(layout.sessions, 'directory of sessions')}
; Debian leaves old sessions to a cron job that knows its own directory only.
php_admin_value[session.gc_probability] = 1
php_admin_value[session.gc_divisor] = 1000
php_value[session.cookie_httponly] = 1
php_value[session.use_strict_mode] = 1

php_admin_value[memory_limit] = ${limits.memoryBytes}
php_admin_value[max_execution_time] = ${limits.seconds}
php_admin_value[post_max_size] = ${limits.bodyBytes}
php_admin_value[upload_max_filesize] = ${limits.bodyBytes}

php_admin_flag[log_errors] = on
php_admin_value[error_log] = ${value(`${layout.logs}/php.log`, 'log')}
php_flag[display_errors] = off
php_admin_flag[expose_php] = off
php_admin_flag[allow_url_include] = off
; The web server names the script; PHP shall not look for another one in the path.
php_admin_value[cgi.fix_pathinfo] = 0
; Pools share one opcode memory: without these a pool could run what another one has compiled.
php_admin_flag[opcache.validate_permission] = on
php_admin_flag[opcache.validate_root] = on
; Settings that were changed are in force with the next request: a redirect made of old ones is kept by browsers.
php_admin_value[opcache.revalidate_freq] = 0
${pool.prepend === undefined ? '' : `php_admin_value[auto_prepend_file] = ${value(pool.prepend, 'prepended file')}\n`}`;
}

function owners({ owners }: Pool): string {
  if (owners === undefined) return '';
  const user = account(owners.user);
  const web = account(owners.webUser);
  return `user = ${user}\ngroup = ${user}\nlisten.owner = ${web}\nlisten.group = ${web}\n`;
}

/** No /tmp, and a slash after each directory: without it PHP lets names through that only begin alike. */
export function openBasedir({
  layout,
  docroot,
  openBasedir,
  prepend,
}: Pick<Pool, 'layout' | 'docroot' | 'openBasedir' | 'prepend'>): string {
  const shared = layout.shared === '' ? [] : [layout.shared];
  const directories = [layout.root, ...shared, docroot, ...openBasedir].map((path) => `${path.replace(/\/+$/, '')}/`);
  const distinct = [...new Set(directories)];
  const needed = distinct.filter((path) => !distinct.some((other) => other !== path && path.startsWith(other)));
  if (prepend !== undefined && !needed.some((path) => prepend.startsWith(path))) needed.push(prepend);
  return needed.map((path) => configPath(path, 'directory open to PHP')).join(':');
}

export interface FpmBase {
  readonly socket: string;
  /** Whose socket it is, and whom its only process runs as; undefined where everything runs as one user. */
  readonly user: string | undefined;
  /** False when the operator's own configuration has set it. */
  readonly setsControlTimeout: boolean;
}

/**
 * A pool that runs nothing: PHP-FPM refuses to start or reload without any pool, and its ping tells which configuration
 * is loaded.
 */
export function renderFpmBase(base: FpmBase, manifest: Manifest, generation: string): string {
  const own = base.user === undefined ? '' : `user = ${account(base.user)}\nlisten.owner = root\nlisten.group = root\n`;
  const timeout = `[global]
; A reload for one site lets the requests of the others end.
process_control_timeout = 10s

`;
  return `; Base configuration of Aegir for PHP-FPM. What it has loaded for sites:
${renderManifest(manifest, ';')}
${base.setsControlTimeout ? timeout : ''}[aegir]
; Runs nothing: it keeps PHP-FPM going without sites, and its ping tells which configuration is loaded.
${own}listen = "${configSocket(base.socket, 'socket of PHP-FPM')}"
listen.mode = 0600
pm = ondemand
pm.max_children = 1
pm.process_idle_timeout = 5s
ping.path = /generation
ping.response = "${generation}"
security.limit_extensions = .none
php_admin_value[open_basedir] = "/nonexistent/"
`;
}

export function setsControlTimeout(base: string): boolean {
  return /^process_control_timeout\b/m.test(base);
}

function value(path: string, what: string): string {
  return `"${configPath(path, what)}"`;
}

function account(name: string): string {
  if (/^[a-z_][a-z0-9_-]{0,31}$/.test(name)) return name;
  throw new Error(`${JSON.stringify(name)} is no name of a system user`);
}
