// Renders a site's virtual host for Apache from the rules of its app. Pure; every value is checked on its way in.
//
// mod_rewrite alone decides what a request is, in the order of WebRules and before Apache looks for any file: denied, a
// script, a file, or the front controller's. It sees the decoded path, without "//" and "..". What an operator has
// declared for the whole server (aliases, handlers, proxies, .htaccess) does not reach into the site.
import type { PhpRules, WebRules } from '../../../app/app.ts';
import { configPath, configPrefix, configScript, configSiteId, configSocket } from '../config/quote.ts';
import { isForwarded } from '../forwarding.ts';
import type { PhpLimits } from '../fpm/limits.ts';
import {
  checkedChallenges,
  checkedFronts,
  checkedRealm,
  DOTFILE,
  escaped,
  gateOfOthers,
  MAINTENANCE_PAGE,
  onlyThose,
  PHP_SOURCE,
  servedNames,
  type VirtualHost,
  writerAuthority,
} from '../virtual-host.ts';
import { forwardingLines, waitingLines } from './forwarding.ts';
import { comment, listenAddresses, OURS_GO_ON, quoted, rewritePattern, tlsListenAddresses } from './syntax.ts';

/** The path as the rules before have left it; REQUEST_URI is what was asked for. */
const PATH = '%{REQUEST_FILENAME}';
/** As "combined", but with all bytes that were sent: headers are traffic, too. */
const LOG_FORMAT = '"%a - %u %t \\"%r\\" %>s %O \\"%{Referer}i\\" \\"%{User-Agent}i\\""';

const NO_PROXY = `  # No ProxyPass of the whole server; ProxyPassInherit does not keep it out.
  RewriteRule "^" "-" [E=no-proxy:1]
`;

export function renderVirtualHost(host: VirtualHost): string {
  const { served, others } = servedNames(host);
  const logs = configPath(host.logs, 'log directory');
  const forwarded = isForwarded(host.state);
  const { tls, listening } = host;
  const believed = believedLines(host);
  const [target] = served;
  const challenges = challengeAnswers(host);
  const certificate = tls === undefined ? '' : certificateLines(forwarded ? { ...tls, hstsSeconds: 0 } : tls);
  const toSecure = (name: string) => redirection('https', name, listening.tlsPort, 443);
  const bounds = forwarded ? '' : bodyBounds(host.limits);
  const blocks: string[] = [];
  const block = (names: readonly string[], at: string, content: string, canonical = true): void => {
    const [name = '', ...aliases] = names;
    blocks.push(`<VirtualHost ${at}>
  ServerName ${name}
${aliases.map((alias) => `  ServerAlias ${alias}\n`).join('')}  UseCanonicalName ${canonical ? 'On' : 'Off'}
  UseCanonicalPhysicalPort On
  ErrorLog ${quoted(`${logs}/error.log`)}
  LogLevel error
  CustomLog ${quoted(`${logs}/access.log`)} ${LOG_FORMAT}
  ServerSignature Off
  TraceEnable Off
  ProxyRequests Off
  RewriteEngine On
  RewriteOptions IgnoreInherit
${forwarded ? '' : NO_PROXY}${believed}${bounds}${content}</VirtualHost>
`);
  };
  const text =
    () => `# Virtual host of ${configSiteId(host.siteId)}. Written by Aegir, which restores it when it is changed by hand.
${blocks.join('')}`;
  const plain = listenAddresses(listening);
  if (forwarded) {
    // Which name and scheme it should be is for the server to say where it goes.
    block([...served, ...others], plain, `${challenges}${forwardingLines(host, false)}`);
    if (tls !== undefined) {
      const secure = tlsListenAddresses(listening);
      block([...served, ...others], secure, `${certificate}${forwardingLines(host, true)}`);
    }
    return text();
  }
  const body = host.state === 'disabled' ? maintenance() : serving(host);
  if (tls?.redirect === true) {
    // The name that was asked for is one of these: others do not get here.
    const name = others.length === 0 ? '%{SERVER_NAME}' : target;
    // A front that speaks plain HTTP to us has visitors over HTTPS all the same: they are led nowhere.
    const led = host.fronts.length === 0 ? toSecure(name) : `${unlessSecure(host, name)}${body}`;
    block([...served, ...others], plain, `${challenges}${led}`, false);
  } else {
    block(served, plain, `${challenges}${body}`);
    if (others.length > 0) {
      block(others, plain, `${challenges}${redirection('http', target, listening.port, 80)}`);
    }
  }
  if (tls !== undefined) {
    const secure = tlsListenAddresses(listening);
    block(served, secure, `${certificate}${body}`);
    if (others.length > 0) block(others, secure, `${certificate}${toSecure(target)}`);
  }
  return text();
}

/** Before everything else that a site may answer at those paths. */
function challengeAnswers(host: VirtualHost): string {
  return checkedChallenges(host)
    .map(([token, answer]) => {
      const path = `/.well-known/acme-challenge/${token}`;
      return `  <Location "${path}">
    ErrorDocument 200 "${answer}"
  </Location>
  RewriteRule ${rewritePattern(`^${escaped(path)}$`)} "-" [R=200,L]
`;
    })
    .join('');
}

function certificateLines({ certificate, key, hstsSeconds }: NonNullable<VirtualHost['tls']>): string {
  return `  SSLEngine on
  SSLCertificateFile ${quoted(configPath(certificate, 'certificate'))}
  SSLCertificateKeyFile ${quoted(configPath(key, 'key'))}
  SSLProtocol -all +TLSv1.2 +TLSv1.3
  SSLSessionTickets off
${hstsSeconds === 0 ? '' : hsts(hstsSeconds)}`;
}

/** In place of one that PHP sends. */
function hsts(seconds: number): string {
  return `  Header onsuccess unset Strict-Transport-Security
  Header always set Strict-Transport-Security "max-age=${seconds}"
`;
}

/** To the same path, as it was written in the request; the query goes along by itself. */
function redirection(scheme: 'http' | 'https', name: string, port: number | undefined, usual: number): string {
  const at = port === undefined || port === usual ? '' : `:${port}`;
  return `  AllowEncodedSlashes NoDecode
  RewriteCond "%{THE_REQUEST}" "^\\S+ +(?:https?://[^/? ]+)?(/[^? ]*)"
  RewriteRule "^" "${scheme}://${name}${at}%1" [NE,R=301,L]
  RewriteRule "^" "-" [R=404,L]
`;
}

/** Those that an authority asks for stay: it asks over plain HTTP. */
function unlessSecure({ listening }: VirtualHost, name: string): string {
  const { tlsPort } = listening;
  const at = tlsPort === undefined || tlsPort === 443 ? '' : `:${tlsPort}`;
  return `  RewriteCond "%{ENV:HTTPS}" "!=on"
  RewriteCond "%{REQUEST_URI}" "!^/\\.well-known/acme-challenge/"
  RewriteCond "%{THE_REQUEST}" "^\\S+ +(?:https?://[^/? ]+)?(/[^? ]*)"
  RewriteRule "^" "https://${name}${at}%1" [NE,R=301,L]
`;
}

/** Of visitors who come by a front: their address and scheme are what that says, and nobody else. */
function believedLines(host: VirtualHost): string {
  const fronts = checkedFronts(host);
  if (fronts.length === 0) return '';
  return `  RemoteIPHeader X-Forwarded-For
${fronts.map((front) => `  RemoteIPInternalProxy ${front}\n`).join('')}  RewriteCond "%{CONN_REMOTE_ADDR}" "^(?:${fronts.map(escaped).join('|')})$"
  RewriteCond "%{HTTP:X-Forwarded-Proto}" "=https" [NV]
  RewriteRule "^" "-" [E=HTTPS:on]
`;
}

function serving(host: VirtualHost): string {
  const { rules, limits, socket, auth } = host;
  const { php } = rules;
  const refusal = refusalOf(host);
  const authority = writerAuthority(host);
  const runs = configPath(rules.docroot.replace(/\/+$/, ''), 'document root');
  const root = configPath((rules.code ?? rules.docroot).replace(/\/+$/, ''), 'document root');
  const aliases = rules.aliases.map(({ prefix, directory }) => ({
    prefix: configPrefix(prefix),
    directory: configPath(directory.replace(/\/+$/, ''), 'aliased directory'),
  }));
  return `${closedLines(host)}  ErrorDocument 403 default
  ErrorDocument 404 default
  DocumentRoot ${quoted(root)}
${aliases.map((alias) => `  Alias ${quoted(alias.prefix)} ${quoted(`${alias.directory}/`)}\n`).join('')}  # Aliases of the whole server end here.
  Alias "/" ${quoted(`${root}/`)}
  AllowEncodedSlashes On
  <Directory "/">
    Options FollowSymLinks
    AllowOverride None
    Require all denied
  </Directory>
  # Links to what another user owns are not followed, though Apache may read that.
${[root, ...aliases.map((alias) => alias.directory)].map(directory).join('')}  <Location "/">
    # Whatever a file is called, it is handed out; handlers by its name are those of the whole server.
    SetHandler default-handler
  </Location>
  Header set X-Content-Type-Options nosniff "expr=-z reqenv('aegir_php')"
  Header set Content-Type application/octet-stream "expr=-z reqenv('aegir_php') && -z %{CONTENT_TYPE}"
  <If "reqenv('aegir_slash') == '1'">
    # Without host: it stays right behind a front that speaks TLS or another port.
    <IfVersion >= 2.4.58>
      RedirectRelative On
    </IfVersion>
    Redirect 301 "%{REQUEST_URI}/"
  </If>
${authLines(host)}${php === undefined ? '' : handler(socket, runs, root, limits.serverSeconds, auth === undefined)}
${writerLines(authority)}${host.snippet}${denied(DOTFILE, false, 'dotfiles')}${rules.deny.map((rule) => denied(rule.pattern, rule.caseless === true, rule.why)).join('')}${aliases.map(({ prefix }) => denied(`^${escaped(prefix)}.*${PHP_SOURCE}$`, true, 'no PHP among files of the site')).join('')}${aliases.map((alias) => files(alias, php, root, refusal, authority)).join('')}${index(rules, root)}${scripts(php, root, refusal)}${denied(`${PHP_SOURCE}$`, true, 'PHP that is no entry point')}  # A directory is named with its slash.
  RewriteCond "${root}${PATH}" -d
  RewriteRule "^[^?]*[^/?]$" "-" [E=aegir_slash:1,L]
  # Files, under the name they were asked for or as index of a directory.
${readOnly(`${root}${PATH}`, '^', refusal)}  RewriteCond "${root}${PATH}" -f
  RewriteCond "${root}${PATH}" -F
  RewriteCond expr "%{REQUEST_FILENAME} == %{REQUEST_URI}"
  RewriteRule "^" "-" [L]
  RewriteCond "${root}${PATH}" -f
  RewriteCond "${root}${PATH}" -F
  RewriteRule "^" "${PATH}" [PT]
${fallback(php, root, '^', 'Everything else.')}`;
}

function directory(path: string): string {
  return `  <Directory ${quoted(path)}>
    Options SymLinksIfOwnerMatch
    AllowOverride None
    Require all granted
  </Directory>
`;
}

/** forApp: whoever asks for passwords is the app. Otherwise they are none of its business, nor is who gave them. */
function handler(socket: string, runs: string, root: string, seconds: number, forApp: boolean): string {
  const path = configSocket(socket, 'socket of the pool');
  return `  ProxyTimeout ${seconds}
  <Location "/">
    CGIPassAuth ${forApp ? 'On' : 'Off'}
  </Location>
${forApp ? '' : ['REMOTE_USER', 'AUTH_TYPE', 'REMOTE_IDENT'].map((name) => `  ProxyFCGISetEnvIf "true" !${name}\n`).join('')}  <If "reqenv('aegir_php') == '1'">
    SetHandler ${quoted(`proxy:unix:${path}|fcgi://localhost`)}
  </If>
  ProxyFCGISetEnvIf "true" SCRIPT_FILENAME ${quoted(`${runs}%{reqenv:SCRIPT_NAME}`)}
${runs === root ? '' : `  ProxyFCGISetEnvIf "true" DOCUMENT_ROOT ${quoted(runs)}\n`}  # A client's header "Proxy" must not become the proxy of the site's own requests (httpoxy, CVE-2016-5385).
  RequestHeader unset Proxy early
`;
}

/** After all else that says who may see what. */
function authLines(host: VirtualHost): string {
  const { auth } = host;
  if (auth === undefined) return '';
  // Who waits is asked when he is let in.
  const waits = gateOfOthers(host) === undefined ? '' : '    Require env aegir_gate\n';
  return `  <Location "/">
    AuthType Basic
    AuthName "${checkedRealm(auth.realm)}"
    AuthBasicProvider file
    AuthUserFile ${quoted(configPath(auth.file, 'file of passwords'))}
    Require valid-user
${waits}    # What the whole server lets in without a password it does not let in here.
    <IfModule mod_access_compat.c>
      Satisfy All
    </IfModule>
  </Location>
${[404, 405].map((status) => `  <If "reqenv('aegir_status') == '${status}'">\n    Redirect ${status}\n  </If>\n`).join('')}`;
}

/** How a request is refused for what is there or is not: those who may not see the site shall not learn of that either. */
type Refusal = (status: 404 | 405) => string;

function refusalOf({ auth }: VirtualHost): Refusal {
  return auth === undefined ? (status) => `R=${status}` : (status) => `E=aegir_status:${status}`;
}

/** LimitRequestBody does not hold for what goes to PHP, and one without a length could fill the disk before it gets there. */
function bodyBounds({ bodyBytes }: PhpLimits): string {
  return `  LimitRequestBody ${bodyBytes}
  # Bodies that are too large, or do not say how large they are.
  RewriteCond expr "req_novary('Content-Length') -gt ${bodyBytes}"
  RewriteRule "^" "-" [R=413,L]
  RewriteCond expr "-n req_novary('Transfer-Encoding')"
  RewriteRule "^" "-" [R=411,L]
`;
}

function denied(pattern: string, caseless: boolean, why: string): string {
  return `  ${comment(why)}
  RewriteRule ${rewritePattern(pattern)} "-" [${caseless ? 'NC,' : ''}R=404,L]
`;
}

interface Alias {
  readonly prefix: string;
  readonly directory: string;
}

/** -F asks Apache itself whether it would hand the file out: it says no to links that it does not follow. */
function files(
  { prefix, directory }: Alias,
  php: PhpRules | undefined,
  root: string,
  refusal: Refusal,
  writer: string | undefined,
): string {
  const pattern = `^${escaped(prefix)}`;
  return `${readOnly(`${directory}/$1`, `${pattern}(.*)$`, refusal)}  RewriteCond "${directory}/$1" -f
  RewriteCond "${directory}/$1" -F
  RewriteRule ${rewritePattern(`${pattern}(.*)$`)} "-" [L]
${writer === undefined ? fallback(php, root, pattern, `Nothing else in ${prefix}`) : fromWriter(pattern, writer)}`;
}

/**
 * Files come to this head a while after they were left at the other one; what makes them on demand is there alone. The name
 * is written out by the map: Apache itself refuses to pass a question mark of a name on.
 */
function fromWriter(pattern: string, writer: string): string {
  return `  RewriteRule ${rewritePattern(`${pattern}(.*)$`)} "http://${writer}\${aegir_escaped:${PATH}}" [E=aegir_writer:1,NE,P]
`;
}

function writerLines(writer: string | undefined): string {
  if (writer === undefined) return '';
  return `  RewriteMap aegir_escaped int:escape
  ProxyPreserveHost On
  ProxyAddHeaders Off
${OURS_GO_ON}  RequestHeader set X-Forwarded-For "expr=%{REMOTE_ADDR}" env=aegir_writer
  RequestHeader set X-Forwarded-Proto "expr=%{REQUEST_SCHEME}" env=aegir_writer
  RequestHeader unset Forwarded env=aegir_writer
  RequestHeader set X-Forwarded-Proto https "expr=reqenv('aegir_writer') == '1' && reqenv('HTTPS') == 'on'"
`;
}

/** A file is read; Apache would hand it out whatever the method. */
function readOnly(file: string, pattern: string, refusal: Refusal): string {
  return `  RewriteCond "${file}" -f
  RewriteCond "%{REQUEST_METHOD}" "!^(?:GET|HEAD)$"
  RewriteCond "${file}" -F
  RewriteRule ${rewritePattern(pattern)} "-" [${refusal(405)},L]
`;
}

/** The first name that is there stands for its directory; then all rules are read again, for that name. */
function index({ index }: WebRules, root: string): string {
  const names = index.map((name) => configScript(`/${name}`, 'index file').slice(1));
  return names
    .map(
      (name) => `  RewriteCond "${root}$1${name}" -f
  RewriteRule "^([^?]*/)$" "$1${name}" [N=100]
`,
    )
    .join('');
}

/** Only a file that is there reaches PHP (CVE-2019-11043 and its kind). */
function scripts(php: PhpRules | undefined, root: string, refusal: Refusal): string {
  if (php === undefined) return '';
  // The front controller runs by its own name even where scripts does not list it.
  const front = php.frontController === undefined ? [] : [`^${escaped(php.frontController)}$`];
  return [...new Set([...php.scripts, ...front])]
    .map(
      (pattern) => `  RewriteCond "${root}${PATH}" -f
  RewriteRule ${rewritePattern(pattern)} "${PATH}" [E=aegir_php:1,PT]
  RewriteRule ${rewritePattern(pattern)} "-" [${refusal(404)},L]
`,
    )
    .join('');
}

function fallback(php: PhpRules | undefined, root: string, pattern: string, what: string): string {
  const missing = `  RewriteRule ${rewritePattern(pattern)} "-" [R=404,L]\n`;
  if (php?.frontController === undefined) return `  ${comment(what)}\n${missing}`;
  const script = configScript(php.frontController, 'front controller');
  return `  ${comment(what)}
  RewriteCond "${root}${script}" -f
  RewriteRule ${rewritePattern(pattern)} "${script}" [E=aegir_php:1,PT]
${missing}`;
}

/** By the address that a connection came from, whatever a front says of the visitor. */
function closedLines(host: VirtualHost): string {
  const those = onlyThose(host);
  if (those === undefined) return '';
  const gate = gateOfOthers(host);
  if (gate !== undefined) return waitingLines(those, gate);
  return `${maintenanceAnswer()}  RewriteCond "%{CONN_REMOTE_ADDR}" "!${those}"
  RewriteRule "^" "-" [R=503,L]
`;
}

function maintenance(): string {
  return `  AllowEncodedSlashes NoDecode
${maintenanceAnswer()}  RewriteRule "^" "-" [R=503,L]
`;
}

function maintenanceAnswer(): string {
  return `  ErrorDocument 503 ${quoted(MAINTENANCE_PAGE)}
  Header always set Retry-After 600 "expr=%{REQUEST_STATUS} == 503"
  Header always set Cache-Control no-store "expr=%{REQUEST_STATUS} == 503"
`;
}
