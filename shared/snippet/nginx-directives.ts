// What a snippet for nginx may say: directives that change how a site answers, and none that opens a file as root, runs
// or writes what is not the site's, fills a disk, reaches a socket of another site, or is Aegir's to say. Pure.
import type { Refuse } from './snippet.ts';

const BLOCKS = /^(?:location|if|limit_except|types)$/;

/** Each changes answers alone. What is new in nginx is refused until somebody has looked at it. */
const ALLOWED = new RegExp(
  `^(?:${[
    'add_header|add_trailer|expires|etag|if_modified_since|max_ranges|default_type|charset|charset_types|override_charset',
    'source_charset|return|rewrite|break|set|internal|try_files|index|error_page|recursive_error_pages|valid_referers',
    'allow|deny|satisfy|auth_basic|auth_request|auth_request_set|secure_link|secure_link_md5|secure_link_secret',
    'gzip|gzip_(?:types|min_length|comp_level|proxied|vary|static|disable|buffers|http_version)|gunzip|gunzip_buffers',
    'brotli|brotli_(?:types|comp_level|min_length|static)|sub_filter|sub_filter_(?:once|types|last_modified)',
    'autoindex|autoindex_(?:exact_size|format|localtime)|empty_gif|add_before_body|add_after_body|addition_types',
    'client_max_body_size|client_body_timeout|send_timeout|keepalive_(?:timeout|requests|disable)|lingering_\\w+',
    'limit_rate|limit_rate_after|limit_req|limit_req_(?:status|log_level|dry_run)|limit_conn|limit_conn_(?:status|log_level|dry_run)',
    'log_not_found|log_subrequest|server_tokens|absolute_redirect|port_in_redirect|server_name_in_redirect|merge_slashes',
    'underscores_in_headers|ignore_invalid_headers|tcp_nodelay|chunked_transfer_encoding|types_hash_max_size',
    'proxy_pass|proxy_(?:set_header|hide_header|pass_header|ignore_headers|redirect|http_version|connect_timeout|read_timeout)',
    'proxy_(?:send_timeout|buffering|buffers|buffer_size|busy_buffers_size|request_buffering|next_upstream\\w*|cookie_\\w+)',
    'proxy_(?:ssl_server_name|ssl_name|ssl_verify|ssl_verify_depth|ssl_protocols|intercept_errors|pass_request_\\w+|socket_keepalive)',
    'fastcgi_(?:read_timeout|send_timeout|connect_timeout|buffers|buffer_size|busy_buffers_size|buffering|hide_header)',
    'fastcgi_(?:pass_header|ignore_headers|intercept_errors|request_buffering)',
  ].join('|')})$`,
);

const MIME_TYPE = /^[a-z0-9.+-]+\/[a-z0-9.+-]+$/i;
/** Of what nginx has made of the request's path; others may have "/../" in them. */
const PATH_VARIABLES = /\$(?!\{?(?:uri|document_uri|args|query_string|is_args|host|server_name|scheme|[1-9])\b)/;

/** words: the directive and what follows it. block: the innermost block around it; undefined for the site's own. */
export function checkNginxDirective(
  words: readonly string[],
  block: string | undefined,
  line: number,
  refuse: Refuse,
): void {
  const [name = '', ...values] = words;
  if (block === 'types') {
    if (MIME_TYPE.test(name)) return;
    refuse(line, `"${name}" is no media type`);
  }
  if (!BLOCKS.test(name) && !ALLOWED.test(name)) {
    refuse(line, `"${name}" is not for snippets, which only change how the site answers`);
  }
  if (name === 'proxy_pass') checkAddress(values, line, refuse);
  if (name === 'rewrite') checkPath(values.slice(1, 2), line, refuse);
  if (['try_files', 'index', 'error_page', 'add_before_body', 'add_after_body', 'auth_request'].includes(name)) {
    checkPath(values, line, refuse);
  }
}

/** Sockets are of the sites' PHP and of daemons; what a variable holds is not known. */
function checkAddress([url = '']: readonly string[], line: number, refuse: Refuse): void {
  const [, host = ''] = /^https?:\/\/([A-Za-z0-9.:[\]-]+)(?:[/?].*)?$/.exec(url) ?? [];
  if (host === '' || /^unix(?::|$)/i.test(host)) {
    refuse(line, `"proxy_pass" needs http://HOST or https://HOST, with a host that is no socket and no variable`);
  }
}

/** nginx joins them to the site's root as they are: "/../" leads out of it. */
function checkPath(values: readonly string[], line: number, refuse: Refuse): void {
  for (const value of values) {
    const [path = ''] = value.split('?', 1);
    if (/^(?:https?:\/\/|\$scheme:\/\/)/.test(path)) continue;
    if (/(?:^|\/)\.\.(?:\/|$)/.test(path)) refuse(line, `"${value}" leads out of the site`);
    if (PATH_VARIABLES.test(path)) refuse(line, `"${value}" has a variable that may lead out of the site`);
  }
}
