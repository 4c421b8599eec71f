// Renders a site's virtual host for nginx from the rules of its app. Pure; every value is checked on its way in.
//
// nginx tries regular expressions in the order in which they stand, before any prefix; so the order here is the order of
// WebRules: what is denied, then what PHP may run, then what is denied because only PHP would make sense of it, then
// files, then the front controller.
import { AegirError } from '../../../../shared/error.ts';
import type { WebRules } from '../../../app/app.ts';
import {
  configComment,
  configName,
  configPath,
  configPattern,
  configPrefix,
  configScript,
  configSiteId,
  configSocket,
} from '../config/quote.ts';
import type { PhpLimits } from '../fpm/limits.ts';
import { fastcgiLines } from './fastcgi.ts';
import { type Listening, listenLines, quoted, tlsListenLines } from './syntax.ts';

export interface VirtualHost {
  readonly siteId: string;
  readonly name: string;
  readonly aliases: readonly string[];
  readonly state: string;
  readonly rules: WebRules;
  readonly limits: PhpLimits;
  readonly logs: string;
  readonly socket: string;
  readonly listening: Listening;
  readonly tls:
    | {
        readonly certificate: string;
        readonly key: string;
        readonly redirect: boolean;
        readonly hstsSeconds: number;
      }
    | undefined;
  /** Key authorisations by token. */
  readonly challenges: Readonly<Record<string, string>>;
  /** '' serves all names alike. */
  readonly redirectTo: string;
}

/** RFC 8555 section 8.1: base64url, and the token with a thumbprint. */
const CHALLENGE = /^[A-Za-z0-9_-]{16,128}$/;
const KEY_AUTHORISATION = /^[A-Za-z0-9_-]{16,128}\.[A-Za-z0-9_-]{43}$/;
/** Dotfiles at any depth, but for /.well-known of the root (RFC 8615). */
const DOTFILE = '/\\.(?!(?<=^/\\.)well-known(?:/|$))';
/** What no web server shall hand out as text: PHP under any of its names. */
const PHP_SOURCE = '\\.(?:php[0-9]?|phtml|phps)';

export function renderVirtualHost(host: VirtualHost): string {
  const names = [host.name, ...host.aliases].map(configName);
  if (host.redirectTo !== '' && !names.includes(configName(host.redirectTo))) {
    throw new AegirError('invalid_argument', `cannot redirect to ${host.redirectTo}: it is no name of the site`);
  }
  const served = host.redirectTo === '' ? names : [configName(host.redirectTo)];
  const others = names.filter((name) => !served.includes(name));
  const logs = configPath(host.logs, 'log directory');
  const body = host.state === 'disabled' ? maintenance() : serving(host);
  const { tls, listening } = host;
  const [target = ''] = served;
  const servers: string[] = [];
  const server = (names: readonly string[], listens: string, content: string) =>
    servers.push(`server {
${listens}  server_name ${names.join(' ')};
  access_log ${quoted(`${logs}/access.log`)} combined;
  error_log ${quoted(`${logs}/error.log`)} error;
  server_tokens off;
  # Redirects stay right behind a front that speaks TLS or another port.
  absolute_redirect off;
  client_max_body_size ${host.limits.bodyBytes};
${content}}
`);
  const plain = listenLines(listening, '  ');
  const challenges = challengeLocations(host.challenges);
  const certificate = tls === undefined ? '' : certificateLines(tls);
  const secure = tls === undefined ? '' : tlsListenLines(listening, '  ');
  const toSecure = (name: string) => redirection('https', name, listening.tlsPort, 443);
  if (others.length > 0 && tls?.redirect !== true) {
    server(others, plain, `${challenges}${redirection('http', target, listening.port, 80)}`);
  }
  if (tls?.redirect === true) {
    // $host is one of these names: others do not get here.
    server(names, plain, `${challenges}${toSecure(others.length === 0 ? '$host' : target)}`);
  }
  if (others.length > 0 && tls !== undefined) server(others, secure, `${certificate}${toSecure(target)}`);
  const listens = tls?.redirect === true ? secure : `${plain}${secure}`;
  server(served, listens, `${certificate}${tls?.redirect === true ? '' : challenges}${body}`);
  return `# Virtual host of ${configSiteId(host.siteId)}. Written by Aegir, which restores it when it is changed by hand.
${servers.join('')}`;
}

/** Before everything else that a site may answer at those paths. */
function challengeLocations(challenges: VirtualHost['challenges']): string {
  return Object.entries(challenges)
    .map(([token, answer]) => {
      if (!CHALLENGE.test(token) || !KEY_AUTHORISATION.test(answer)) {
        throw new AegirError('invalid_argument', 'cannot serve that challenge: it is not of the form of RFC 8555');
      }
      return `  location = /.well-known/acme-challenge/${token} {
    default_type text/plain;
    return 200 "${answer}";
  }
`;
    })
    .join('');
}

function certificateLines({ certificate, key, hstsSeconds }: NonNullable<VirtualHost['tls']>): string {
  return `  ssl_certificate ${quoted(configPath(certificate, 'certificate'))};
  ssl_certificate_key ${quoted(configPath(key, 'key'))};
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_timeout 1d;
  ssl_session_cache shared:aegir:10m;
  ssl_session_tickets off;
${hsts(hstsSeconds, '  ')}`;
}

/** A location with headers of its own inherits none: it repeats this one. */
function hsts(seconds: number, indent: string): string {
  return seconds === 0 ? '' : `${indent}add_header Strict-Transport-Security "max-age=${seconds}" always;\n`;
}

function redirection(scheme: 'http' | 'https', name: string, port: number | undefined, usual: number): string {
  const at = port === undefined || port === usual ? '' : `:${port}`;
  return `  location / {
    return 301 ${scheme}://${name}${at}$request_uri;
  }
`;
}

function serving({ rules, limits, socket, tls }: VirtualHost): string {
  const headers = tls === undefined ? '' : hsts(tls.hstsSeconds, '    ');
  const { php } = rules;
  const fallback = php?.frontController === undefined ? '=404' : `${script(php.frontController)}$is_args$args`;
  return `  root ${quoted(configPath(rules.docroot, 'document root'))};
  # The last one stands for a directory that has none of the others.
  index ${index(rules)};
${php === undefined ? '' : fastcgiLines(limits)}
${denied(DOTFILE, false, 'dotfiles')}${rules.deny.map((rule) => denied(rule.pattern, rule.caseless === true, rule.why)).join('')}${rules.aliases.map(({ prefix }) => denied(`^${escaped(configPrefix(prefix))}.*${PHP_SOURCE}$`, true, 'no PHP among files of the site')).join('')}${scripts(rules, socket)}${denied(`${PHP_SOURCE}$`, true, 'PHP that is no entry point')}
${rules.aliases.map((alias) => files(alias, fallback, headers)).join('')}  location / {
${headers}    add_header X-Content-Type-Options nosniff;
    try_files $uri $uri/ ${fallback};
  }
`;
}

function denied(pattern: string, caseless: boolean, why: string): string {
  return `  # ${configComment(why)}
  location ${caseless ? '~*' : '~'} ${quoted(configPattern(pattern))} {
    return 404;
  }
`;
}

/** The front controller runs by its own name even where scripts does not list it. */
function scripts({ php }: WebRules, socket: string): string {
  if (php === undefined) return '';
  const front = php.frontController === undefined ? [] : [`^${escaped(php.frontController)}$`];
  const pass = quoted(`unix:${configSocket(socket, 'socket of the pool')}`);
  // try_files: only a file that is there reaches PHP (CVE-2019-11043 and its kind).
  return [...new Set([...php.scripts, ...front])]
    .map(
      (pattern) => `  location ~ ${quoted(configPattern(pattern))} {
    try_files $fastcgi_script_name =404;
    fastcgi_pass ${pass};
  }
`,
    )
    .join('');
}

function files({ prefix, directory }: WebRules['aliases'][number], fallback: string, headers: string): string {
  const path = configPath(directory.endsWith('/') ? directory : `${directory}/`, 'aliased directory');
  return `  location ${quoted(configPrefix(prefix))} {
    alias ${quoted(path)};
    # Below it the site's code makes links: one to what another site owns is not followed, though nginx may read that.
    disable_symlinks if_not_owner ${quoted(`from=${path}`)};
${headers}    add_header X-Content-Type-Options nosniff;
    try_files $uri ${fallback};
  }
`;
}

/** A directory without index is, like any path that is no file, for the front controller; or it is not found. */
function index({ index, php }: WebRules): string {
  const names = index.map((name) => configScript(`/${name}`, 'index file').slice(1));
  // Without a front controller: a name that the rule for dotfiles answers, with 404 instead of nginx's own 403.
  const last = php?.frontController === undefined ? '/.no-index' : script(php.frontController);
  return [...names, last].join(' ');
}

function script(path: string): string {
  return configScript(path, 'front controller');
}

function maintenance(): string {
  const page =
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Down for maintenance</title>' +
    '<meta name="viewport" content="width=device-width"></head><body>' +
    '<h1>Down for maintenance</h1><p>This site is not available at the moment. Please come back later.</p>' +
    '</body></html>';
  return `
  location / {
    # No type by the name that was asked for.
    types { }
    default_type text/html;
    add_header Retry-After 600 always;
    add_header Cache-Control no-store always;
    return 503 ${quoted(page)};
  }
`;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
