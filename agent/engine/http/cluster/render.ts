// Renders what HAProxy reads of ours (configuration manual of 2.6): one file of configuration, and maps by name for
// whatever is different from site to site, so that a thousand sites are looked up and not tried in turn. Pure.
import { isIP } from 'node:net';
import { sha256Hex } from '../../../../shared/digest.ts';
import { AegirError } from '../../../../shared/error.ts';
import type { SpreadRules } from '../../../app/app.ts';
import { STATUS_NAME, STATUS_PATH } from '../config/status.ts';
import type { FrontCluster, FrontHead } from './front-cluster.ts';
import type { FrontSite } from './front-site.ts';

export interface Front {
  readonly clusters: readonly FrontCluster[];
  readonly sites: readonly FrontSite[];
}

export interface FrontPlace {
  /** Directory of our configuration. */
  readonly dir: string;
  /** UNIX socket for questions and commands. */
  readonly socket: string;
  readonly addresses: readonly string[];
  readonly port: number;
  readonly tlsPort: number | undefined;
}

export const CONFIG_FILE_NAME = 'aegir.cfg';
/** Name of the variable by which the running HAProxy says what it has loaded. */
export const GENERATION = 'AEGIR_GENERATION';
/** Where reloads keep what is known of the heads. */
export const STATE_FILE = 'server-state';

/** Maps by their file names. */
const MAPS = {
  hosts: 'hosts.map',
  secure: 'secure-hosts.map',
  backends: 'backends.map',
  redirects: 'redirects.map',
  secureRedirects: 'secure-redirects.map',
  hsts: 'hsts.map',
  challenges: 'challenges.map',
  writers: 'writers.map',
  spreads: 'spreads.map',
} as const;
const CRT_LIST = 'certificates.list';

export interface Rendered {
  /** Content by file name, relative to the directory. */
  readonly files: Readonly<Record<string, string>>;
  /** Digest of all of them. */
  readonly generation: string;
}

export function renderFront({ clusters, sites }: Front, place: FrontPlace): Rendered {
  if (!/^[A-Za-z0-9/._-]+$/.test(place.dir) || !/^[A-Za-z0-9/._-]+$/.test(place.socket)) {
    throw new AegirError('invalid_argument', `cannot use ${place.dir}: it has characters that HAProxy gives a meaning`);
  }
  const secure = sites.filter(({ pem }) => pem !== '');
  const map = (lines: readonly (readonly [string, string])[]) =>
    [...lines]
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, value]) => `${key} ${value}\n`)
      .join('');
  const byName = (of: readonly FrontSite[], value: (site: FrontSite, name: FrontSite['names'][number]) => string) =>
    map(
      of
        .flatMap((site) => site.names.map((each) => [each.name, value(site, each)] as const))
        .filter(([, to]) => to !== ''),
    );
  const files: Record<string, string> = {
    [MAPS.hosts]: byName(sites, ({ siteId }) => siteId),
    [MAPS.secure]: byName(secure, ({ siteId }) => siteId),
    [MAPS.backends]: map(sites.map(({ siteId, clusterId, sticky }) => [siteId, backendOf(clusterId, sticky)])),
    [MAPS.redirects]: byName(sites, (_, { http }) => http),
    [MAPS.secureRedirects]: byName(secure, (_, { https }) => https),
    [MAPS.hsts]: map(secure.filter(({ hsts }) => hsts > 0).map(({ siteId, hsts }) => [siteId, String(hsts)])),
    [MAPS.challenges]: map(
      sites.flatMap((site) =>
        site.challenges.map(
          ([token, answer]) => [`${site.siteId}/.well-known/acme-challenge/${token}`, answer] as const,
        ),
      ),
    ),
    [MAPS.writers]: map(
      sites.flatMap(({ siteId, clusterId, writer }) =>
        writer === undefined ? [] : [[siteId, writerBackendOf(clusterId, writer.head)] as const],
      ),
    ),
    [MAPS.spreads]: map(
      sites.flatMap(({ siteId, writer }) =>
        writer === undefined ? [] : [[siteId, spreadName(writer.spread)] as const],
      ),
    ),
    [CRT_LIST]: secure
      .map(({ pem, names }) => `${place.dir}/tls/${pem} ${names.map(({ name }) => name).join(' ')}\n`)
      .sort()
      .join(''),
  };
  const config = (generation: string) =>
    renderConfig(clusters, spreadLines(sites, place), secure.length > 0, place, generation);
  const generation = sha256Hex(JSON.stringify([config(''), files]));
  return { files: { ...files, [CONFIG_FILE_NAME]: config(generation) }, generation };
}

function renderConfig(
  clusters: readonly FrontCluster[],
  spread: string,
  secure: boolean,
  place: FrontPlace,
  generation: string,
): string {
  return `# Front of clusters of web servers. Written by Aegir, which restores it when it is changed by hand.
global
  stats socket ${place.socket} mode 600 level admin expose-fd listeners
  # A reload keeps what is known of the heads: one that is down gets no requests by it.
  server-state-file ${place.dir}/${STATE_FILE}
  hard-stop-after 1h
  setenv ${GENERATION} ${generation === '' ? 'none' : generation}

defaults aegir
  mode http
  log global
  option dontlognull
  # Who keeps a connection may ask once more on it while a reload ends it.
  option idle-close-on-response
  option redispatch
  retries 3
  # What surely was not answered; rules of the backends keep it to methods that may be repeated.
  retry-on conn-failure empty-response 502
  timeout connect 2s
  timeout check 2s
  timeout client 60s
  timeout http-request 30s
  # A head that is drained waits for it: the next request on a kept connection is answered by those that were.
  timeout http-keep-alive 10s
  timeout queue 30s
  # Heads bound how long a page may take.
  timeout server 1h
  timeout tunnel 1h
  load-server-state-from-file global
${clusters.length === 0 ? '' : frontend('aegir-http', bindLines(place.addresses, place.port, ''), 'http', spread, place)}${
  clusters.length === 0 || !secure || place.tlsPort === undefined
    ? ''
    : frontend('aegir-https', bindLines(place.addresses, place.tlsPort, tlsOptions(place)), 'https', spread, place)
}${clusters.map(backends).join('')}`;
}

function bindLines(addresses: readonly string[], port: number, options: string): string {
  return addresses
    .map(
      (address) =>
        `  bind ${isIP(address) === 6 ? `[${address}]` : address}:${port}${address === '::' ? ' v6only' : ''}${options}\n`,
    )
    .join('');
}

function tlsOptions({ dir }: FrontPlace): string {
  // strict-sni: names that nobody has get no certificate of anybody.
  return ` ssl crt-list ${dir}/${CRT_LIST} strict-sni alpn h2,http/1.1 ssl-min-ver TLSv1.2 no-tls-tickets`;
}

function frontend(name: string, binds: string, scheme: 'http' | 'https', spread: string, { dir }: FrontPlace): string {
  const hosts = scheme === 'http' ? MAPS.hosts : MAPS.secure;
  const redirects = scheme === 'http' ? MAPS.redirects : MAPS.secureRedirects;
  const hsts =
    scheme === 'http'
      ? ''
      : `  http-request set-var(txn.hsts) var(txn.site),map(${dir}/${MAPS.hsts})
  http-after-response set-header Strict-Transport-Security "max-age=%[var(txn.hsts)]" if { var(txn.hsts) -m found }
`;
  return `
frontend ${name} from aegir
${binds}  http-request set-var(txn.host) req.hdr(host),host_only,lower,regsub(\\.$,)
  http-request set-var(txn.path) path
  http-request set-var(txn.site) var(txn.host),map(${dir}/${hosts})
  http-request return status 404 content-type text/plain string "No site of this name is here.\\n" if !{ var(txn.site) -m found }
${hsts}  http-request set-var(txn.at) var(txn.site),concat(,txn.path)
  http-request set-var(txn.answer) var(txn.at),map(${dir}/${MAPS.challenges})
  http-request return status 200 content-type text/plain lf-string "%[var(txn.answer)]" if { var(txn.answer) -m found }
  http-request set-var(txn.to) var(txn.host),map(${dir}/${redirects})
  http-request redirect code 301 location %[var(txn.to)]%[pathq] if { var(txn.to) -m found }
  # What visitors say of themselves goes; heads believe the rest.
  http-request del-header Forwarded
  http-request del-header X-Forwarded- -m beg
  http-request del-header X-Real-IP
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto ${scheme}
${spread}  use_backend %[var(txn.site),map(${dir}/${MAPS.backends})]
`;
}

/** Sites of one app have the same rules: lines for each set of rules, not for each site. */
function spreadLines(sites: readonly FrontSite[], { dir }: FrontPlace): string {
  const spreads = new Map(
    sites.flatMap(({ writer }) => (writer === undefined ? [] : [[spreadName(writer.spread), writer.spread] as const])),
  );
  if (spreads.size === 0) return '';
  const rules = [...spreads]
    .filter(([, { paths }]) => paths.length > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { paths, except, cookies }]) => {
      const patterns = (list: readonly string[]) => list.map((pattern) => `'${pattern}'`).join(' ');
      const excepted = except.length === 0 ? '' : ` !{ var(txn.plain) -m reg ${patterns(except)} }`;
      const known = cookies.length === 0 ? '' : ` !{ req.fhdr(cookie) -m reg '(?:^|; *)(?:${cookies.join('|')})' }`;
      return `  http-request set-var(txn.any) bool(true) if METH_GET { var(txn.spread) -m str ${name} } { var(txn.plain) -m reg ${patterns(paths)} }${excepted}${known}\n`;
    })
    .join('');
  return `  # Where heads have files of their own, one takes all that may write. A path that steps up or hides is not looked at.
  http-request set-var(txn.writer) var(txn.site),map(${dir}/${MAPS.writers})
  http-request set-var(txn.spread) var(txn.site),map(${dir}/${MAPS.spreads})
  http-request set-var(txn.plain) path,url_dec,regsub(/+,/,g)
${rules}  http-request set-var(txn.any) bool(false) if { var(txn.plain) -m sub '/.' }
  use_backend %[var(txn.writer)] if { var(txn.writer) -m found } !{ var(txn.any) -m bool }
`;
}

function spreadName(spread: SpreadRules): string {
  return sha256Hex(JSON.stringify([spread.paths, spread.except, spread.cookies])).slice(0, 12);
}

/** The backend of one head alone, for what may write. */
export function writerBackendOf(clusterId: string, head: string): string {
  return `${clusterId}-at-${head}`;
}

export function backendOf(clusterId: string, sticky: boolean): string {
  return sticky ? `${clusterId}-sticky` : clusterId;
}

function backends({ clusterId, heads, checkMillis, fall, rise }: FrontCluster): string {
  const common = `  balance leastconn
  http-request disable-l7-retry unless METH_GET or METH_OPTIONS
  # Requests to a head that is down by its checks are answered at once, not when it would be.
  default-server on-marked-down shutdown-sessions
`;
  return `
backend ${backendOf(clusterId, false)} from aegir
${common}  # Whom a head does not take asks the next one at once: who waits to try it again is cut when it is found down.
  option redispatch 1
  option httpchk
  http-check send meth GET uri ${STATUS_PATH} ver HTTP/1.1 hdr Host ${STATUS_NAME}
  http-check expect status 200
${heads.map((head) => `  server ${head.serviceId} ${placeOf(head)} check inter ${checkMillis}ms fall ${fall} rise ${rise}\n`).join('')}
backend ${backendOf(clusterId, true)} from aegir
${common}  cookie AEGIR_HEAD insert indirect nocache httponly
${heads.map((head) => `  server ${head.serviceId} ${placeOf(head)} track ${clusterId}/${head.serviceId} cookie ${cookieOf(head)}\n`).join('')}${heads
  .map(
    (head) => `
backend ${writerBackendOf(clusterId, head.serviceId)} from aegir
${common}  server ${head.serviceId} ${placeOf(head)} track ${clusterId}/${head.serviceId}
`,
  )
  .join('')}`;
}

function placeOf({ address, port, state, weight }: FrontHead): string {
  const at = `${isIP(address) === 6 ? `[${address}]` : address}:${port}`;
  return `${at} weight ${state === 'draining' ? 0 : weight}${state === 'out' ? ' disabled' : ''}`;
}

/** Says nothing of the head but that it is one. */
function cookieOf({ serviceId }: FrontHead): string {
  return sha256Hex(serviceId).slice(0, 12);
}
