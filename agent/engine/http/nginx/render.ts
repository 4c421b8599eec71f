// Renders a site's virtual host for nginx from the rules of its app. Pure; every value is checked on its way in.
//
// nginx tries regular expressions in the order in which they stand, before any prefix; so the order here is the order of
// WebRules: what is denied, then what PHP may run, then what is denied because only PHP would make sense of it, then
// files, then the front controller.
import type { WebRules } from '../../../app/app.ts';
import {
  configComment,
  configPath,
  configPattern,
  configPrefix,
  configScript,
  configSiteId,
  configSocket,
} from '../config/quote.ts';
import { isForwarded } from '../forwarding.ts';
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
import { fastcgiLines } from './fastcgi.ts';
import { forwardingLines, forwardingMaps, loopMaps, waitingLines } from './forwarding.ts';
import { LOG_FORMAT, listenLines, quoted, siteVariable, tlsListenLines } from './syntax.ts';

export function renderVirtualHost(host: VirtualHost): string {
  const { served, others } = servedNames(host);
  const names = [...served, ...others];
  const logs = configPath(host.logs, 'log directory');
  const { tls, listening } = host;
  const forwarded = isForwarded(host.state);
  const [target] = served;
  const believed = realIpLines(host);
  const servers: string[] = [];
  const server = (names: readonly string[], listens: string, content: string) =>
    servers.push(`server {
${listens}  server_name ${names.join(' ')};
  access_log ${quoted(`${logs}/access.log`)} ${LOG_FORMAT};
  error_log ${quoted(`${logs}/error.log`)} error;
  server_tokens off;
  # Redirects stay right behind a front that speaks TLS or another port.
  absolute_redirect off;
  client_max_body_size ${forwarded ? 0 : host.limits.bodyBytes};
${believed}${content}}
`);
  const plain = listenLines(listening, '  ');
  const challenges = challengeLocations(host);
  const certificate = tls === undefined ? '' : certificateLines(forwarded ? { ...tls, hstsSeconds: 0 } : tls);
  const secure = tls === undefined ? '' : tlsListenLines(listening, '  ');
  const text =
    () => `# Virtual host of ${configSiteId(host.siteId)}. Written by Aegir, which restores it when it is changed by hand.
${schemeMap(host)}${forwarded || gateOfOthers(host) !== undefined ? forwardingMaps(host.siteId) : ''}${forwarded ? loopMaps(host) : ''}${servers.join('')}`;
  if (forwarded) {
    // Which name and scheme it should be is for the server to say where it goes.
    server(names, plain, `${challenges}${forwardingLines(host, false, schemeOf(host))}`);
    if (tls !== undefined) server(names, secure, `${certificate}${forwardingLines(host, true, schemeOf(host))}`);
    return text();
  }
  const body = bodyOf(host);
  const toSecure = (name: string) => redirection('https', name, listening.tlsPort, 443);
  if (others.length > 0 && tls?.redirect !== true) {
    server(others, plain, `${challenges}${redirection('http', target, listening.port, 80)}`);
  }
  if (tls?.redirect === true) {
    // $host is one of these names: others do not get here.
    const name = others.length === 0 ? '$host' : target;
    // HSTS is of the other port (RFC 6797, 7.2).
    const plainly = { ...host, tls: { ...tls, hstsSeconds: 0 } };
    const led = host.fronts.length === 0 ? toSecure(name) : `${unlessSecure(host, name)}${bodyOf(plainly)}`;
    server(names, plain, `${challenges}${led}`);
  }
  if (others.length > 0 && tls !== undefined) server(others, secure, `${certificate}${toSecure(target)}`);
  const listens = tls?.redirect === true ? secure : `${plain}${secure}`;
  server(served, listens, `${certificate}${tls?.redirect === true ? '' : challenges}${body}`);
  return text();
}

/** The front sets X-Forwarded-For to the one address that it knows; what the visitor sent of it is gone. */
function realIpLines(host: VirtualHost): string {
  const fronts = checkedFronts(host);
  if (fronts.length === 0) return '';
  return `${fronts.map((front) => `  set_real_ip_from ${front};\n`).join('')}  real_ip_header X-Forwarded-For;\n`;
}

/** Whether the visitor came over HTTPS, by the word of a front where he came by one: "on", or nothing. */
function schemeVariable({ siteId }: VirtualHost): string {
  return siteVariable('https', siteId);
}

function schemeMap(host: VirtualHost): string {
  const fronts = checkedFronts(host);
  if (fronts.length === 0) return '';
  const lines = fronts.map((front) => `  ${quoted(`${front} https`)} on;\n  ${quoted(`${front} http`)} "";\n`).join('');
  const { tls } = host;
  return `map "$realip_remote_addr $http_x_forwarded_proto" ${schemeVariable(host)} {
  default $https;
${lines}}
${tls?.redirect === true && !isForwarded(host.state) ? plainMap(host) : ''}${passesOn(host) ? protoMap(host) : ''}`;
}

function passesOn(host: VirtualHost): boolean {
  return isForwarded(host.state) || host.writer !== undefined || gateOfOthers(host) !== undefined;
}

/** Whether a request is to be led to HTTPS. Not those of an authority: it asks over plain HTTP. */
function plainMap(host: VirtualHost): string {
  return `map "${schemeVariable(host)} $uri" ${siteVariable('plain', host.siteId)} {
  default "";
  "~^ (?!/\\.well-known/acme-challenge/)" 1;
}
`;
}

function protoMap(host: VirtualHost): string {
  return `map ${schemeVariable(host)} ${siteVariable('proto', host.siteId)} {
  default http;
  on https;
}
`;
}

/** The scheme that the visitor came by, as a word. */
function schemeOf({ fronts, siteId }: VirtualHost): string {
  return fronts.length === 0 ? '$scheme' : siteVariable('proto', siteId);
}

/** A front that speaks plain HTTP to us has visitors over HTTPS all the same: they are led nowhere. */
function unlessSecure(host: VirtualHost, name: string): string {
  const { tlsPort } = host.listening;
  return `  if (${siteVariable('plain', host.siteId)}) {
    return 301 https://${name}${tlsPort === undefined || tlsPort === 443 ? '' : `:${tlsPort}`}$request_uri;
  }
`;
}

/** Before everything else that a site may answer at those paths. */
function challengeLocations(host: VirtualHost): string {
  return checkedChallenges(host)
    .map(
      ([token, answer]) => `  location = /.well-known/acme-challenge/${token} {
    default_type text/plain;
    return 200 "${answer}";
  }
`,
    )
    .join('');
}

function certificateLines({ certificate, key, hstsSeconds }: NonNullable<VirtualHost['tls']>): string {
  return `  ssl_certificate ${quoted(configPath(certificate, 'certificate'))};
  ssl_certificate_key ${quoted(configPath(key, 'key'))};
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_timeout 1d;
  ssl_session_cache shared:aegir:10m;
  ssl_session_tickets off;
${hsts(hstsSeconds)}`;
}

function hsts(seconds: number): string {
  return seconds === 0 ? '' : `  add_header Strict-Transport-Security "max-age=${seconds}" always;\n`;
}

function redirection(scheme: 'http' | 'https', name: string, port: number | undefined, usual: number): string {
  const at = port === undefined || port === usual ? '' : `:${port}`;
  return `  location / {
    return 301 ${scheme}://${name}${at}$request_uri;
  }
`;
}

function bodyOf(host: VirtualHost): string {
  return host.state === 'disabled' ? maintenance() : serving(host);
}

function serving(host: VirtualHost): string {
  const { rules, limits, socket, siteId } = host;
  const scheme = host.fronts.length === 0 ? undefined : schemeVariable(host);
  const sniffed = siteVariable('sniffed', siteId);
  const { php } = rules;
  const writer = writerLocation(host);
  const fallback = php?.frontController === undefined ? '=404' : `${script(php.frontController)}$is_args$args`;
  return `${closedLines(host)}  root ${quoted(configPath(rules.docroot, 'document root'))};
  # The last one stands for a directory that has none of the others.
  index ${index(rules)};
  # Of files alone, which PHP does not answer for. Not in their locations: one with a header of its own has none of the server's,
  # and a snippet's would be lost there.
  set ${sniffed} "";
  add_header X-Content-Type-Options ${sniffed};
${authLines(host)}${php === undefined ? '' : fastcgiLines(limits, { https: scheme, forApp: host.auth === undefined })}
${denied(DOTFILE, false, 'dotfiles')}${rules.deny.map((rule) => denied(rule.pattern, rule.caseless === true, rule.why)).join('')}${rules.aliases.map(({ prefix }) => denied(`^${escaped(configPrefix(prefix))}.*${PHP_SOURCE}$`, true, 'no PHP among files of the site')).join('')}${scripts(rules, socket)}${denied(`${PHP_SOURCE}$`, true, 'PHP that is no entry point')}
${rules.aliases.map((alias) => files(alias, writer === '' ? fallback : WRITER, sniffed)).join('')}${writer}  location / {
${served(rules)}    set ${sniffed} nosniff;
    try_files $uri $uri/ ${fallback};
  }
${host.snippet}`;
}

/** The code may have links, too, made by whoever builds it; what leads to it, perhaps by one, is ours. */
function served({ docroot, code }: WebRules): string {
  const path = configPath((code ?? docroot).replace(/\/+$/, ''), 'document root');
  return `${code === undefined ? '' : `    root ${quoted(path)};\n`}    # Links to what another user owns are not followed, though nginx may read that.
    disable_symlinks if_not_owner ${quoted(`from=${path}`)};
`;
}

function authLines({ auth }: VirtualHost): string {
  if (auth === undefined) return '';
  return `  auth_basic ${quoted(checkedRealm(auth.realm))};
  auth_basic_user_file ${quoted(configPath(auth.file, 'file of passwords'))};
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

function files({ prefix, directory }: WebRules['aliases'][number], fallback: string, sniffed: string): string {
  const path = configPath(directory.endsWith('/') ? directory : `${directory}/`, 'aliased directory');
  return `  location ${quoted(configPrefix(prefix))} {
    alias ${quoted(path)};
    # Below it the site's code makes links: one to what another site owns is not followed, though nginx may read that.
    disable_symlinks if_not_owner ${quoted(`from=${path}`)};
    set ${sniffed} nosniff;
    try_files $uri ${fallback};
  }
`;
}

/** Name of the location that answers those who are not let in yet. */
const CLOSED = '@aegir_closed';
/** Name of the location by which the head that takes writes is asked. */
const WRITER = '@aegir_writer';

/** Files come to this head a while after they were left at the other one; what makes them on demand is there alone. */
function writerLocation(host: VirtualHost): string {
  const authority = writerAuthority(host);
  if (authority === undefined) return '';
  return `  location ${WRITER} {
    # That one says it.
    set ${siteVariable('sniffed', host.siteId)} "";
    proxy_pass http://${authority};
    proxy_http_version 1.1;
    proxy_connect_timeout 2s;
    proxy_read_timeout ${host.limits.serverSeconds}s;
    proxy_redirect off;
    proxy_set_header Host $http_host;
    proxy_set_header Connection "";
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto ${schemeOf(host)};
    proxy_set_header Forwarded "";
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

/** By the address that a connection came from, whatever a front says of the visitor. */
function closedLines(host: VirtualHost): string {
  const those = onlyThose(host);
  if (those === undefined) return '';
  const gate = gateOfOthers(host);
  if (gate !== undefined) return waitingLines(host.siteId, those, gate, schemeOf(host));
  return `  error_page 503 ${CLOSED};
  if ($realip_remote_addr !~ ${quoted(those)}) {
    return 503;
  }
${maintenance(CLOSED)}`;
}

function maintenance(path = '/'): string {
  return `
  location ${path} {
    # No type by the name that was asked for.
    types { }
    default_type text/html;
    add_header Retry-After 600 always;
    add_header Cache-Control no-store always;
    return 503 ${quoted(MAINTENANCE_PAGE)};
  }
`;
}
