// Checks of the specs inside actions: every field bounded and formed before an engine or an app sees it.
// Messages name the field; they quote no secrets.
import { isIP } from 'node:net';
import { AegirError } from '../shared/error.ts';
import type {
  ClusterSpec,
  DbConnection,
  DbSpec,
  DnsRecord,
  DnsSpec,
  FileSpec,
  HttpAuthSpec,
  HttpSpec,
  PhpSpec,
  PlatformSpec,
  ServiceRef,
  SiteSpec,
  SnippetSpec,
  TlsSpec,
  UpstreamSpec,
  ZoneSpec,
} from '../shared/gen/aegir/v1/spec.ts';
import { isAuthUser, isPasswordHash, isRealm, MOST_AUTH_USERS } from '../shared/http-auth.ts';
import { type IdPrefix, isId } from '../shared/id.ts';
import { absolutePath, freeText, hostName, mailAddress } from '../shared/name.ts';
import { isSharedUid } from '../shared/site-uid.ts';
import { checkedSnippet } from '../shared/snippet/snippet.ts';
import { isAppName, isServiceType, MAX_CRON_SECONDS, MIN_CRON_SECONDS } from '../shared/vocabulary.ts';

/** What validation adds to the wire's types: what must be there is there. */
export type ValidHttpSpec = HttpSpec & { readonly platform: PlatformSpec };
export type ValidSite = SiteSpec & { readonly platform: PlatformSpec };

const MAX_NAMES = 200;
const MAX_ADDRESSES = 1_000;
const MAX_FRONTS = 100;
const MAX_RECORDS = 1_000;
const RECORD_TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'TXT', 'CAA', 'NS', 'SRV'];
const MAX_CERTIFICATE = 64 * 1024;
const MAX_HSTS_SECONDS = 2 * 366 * 86_400;
const MAX_SETTINGS = 50;
const MAX_SETTING = 4096;
const MAX_SECRET = 16_384;
const MAX_HEADS = 100;
const MAX_NAMESERVERS = 13;
const RECORD_NAME =
  /^(?=.{1,253}$)(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

export function refuse(field: string, why: string): never {
  throw new AegirError('invalid_argument', `cannot accept the action: ${field} ${why}`);
}

export function present<T>(value: T | undefined, field: string): T {
  return value ?? refuse(field, 'is missing');
}

export function checkId(prefix: IdPrefix, id: string, field: string): void {
  if (!isId(prefix, id)) refuse(field, `is no id of the form ${prefix}-…`);
}

function match(text: string, form: RegExp, field: string, needs: string): void {
  if (!form.test(text)) refuse(field, `needs ${needs}`);
}

export function checkService(service: ServiceRef, serverId: string): void {
  checkId('svc', service.id, 'service.id');
  checkId('srv', service.serverId, 'service.server_id');
  if (service.serverId !== serverId) refuse('service.server_id', 'is not this server: the action went astray');
  if (!isServiceType(service.type)) refuse('service.type', 'is none of http, db, dns, file');
  match(service.engine, /^[a-z][a-z0-9-]{0,31}$/, 'service.engine', 'the name of an engine');
  match(service.version, /^[0-9A-Za-z.+~:-]{0,64}$/, 'service.version', 'up to 64 characters of a version');
  // A name, or where something is mounted.
  const { instance } = service;
  if (instance.length > 300 || /\p{Cc}/u.test(instance) || instance.split('/').some((part) => /^\.\.?$/.test(part))) {
    refuse('service.instance', 'is no name of up to 300 characters and no path');
  }
  checkMap(service.settings, 'service.settings', MAX_SETTING);
  checkMap(service.secrets, 'service.secrets', MAX_SECRET);
}

/** Values are the engines' to judge; several lines only where a key may have them. */
function checkMap(map: Readonly<Record<string, string>>, field: string, most: number): void {
  const entries = Object.entries(map);
  if (entries.length > MAX_SETTINGS) refuse(field, `has more than ${MAX_SETTINGS} entries`);
  for (const [key, value] of entries) {
    match(key, /^[a-z][a-z0-9-]{0,31}$/, field, 'keys of letters, digits and "-"');
    if (value.length > most || /(?![\r\n])\p{Cc}/u.test(value)) refuse(`${field}.${key}`, 'is too long or not text');
  }
}

function checkName(name: string, field: string): void {
  if (hostName(name, field) !== name) refuse(field, 'must be in lower case ASCII form without a trailing dot');
}

export function checkNames(name: string, aliases: readonly string[], field: string): void {
  checkName(name, `${field}.name`);
  if (aliases.length > MAX_NAMES) refuse(`${field}.aliases`, `has more than ${MAX_NAMES} names`);
  for (const alias of aliases) checkName(alias, `${field}.aliases`);
  if (new Set([name, ...aliases]).size !== aliases.length + 1) refuse(`${field}.aliases`, 'has a name twice');
}

export function checkUrl(url: string, field: string): void {
  const needs = 'must be http:// or https://, a host and perhaps a port, nothing after';
  if (url.length > 300 || !/^https?:\/\/[a-z0-9.:[\]-]+$/.test(url) || !URL.canParse(url)) refuse(field, needs);
  if (new URL(url).origin !== url) refuse(field, needs);
}

/** Also normalises the root. */
export function checkPlatform(platform: PlatformSpec, field: string, appRequired: boolean): PlatformSpec {
  checkId('plat', platform.id, `${field}.id`);
  if ((appRequired || platform.app !== '') && !isAppName(platform.app)) refuse(`${field}.app`, 'is no app we know');
  return { ...platform, root: absolutePath(platform.root, `${field}.root`) };
}

export function checkPhp(php: PhpSpec): void {
  match(php.version, /^(?:[0-9]{1,2}\.[0-9]{1,2})?$/, 'php.version', 'a version as 8.2');
  if (php.maxChildren > 500) refuse('php.max_children', 'is over 500');
  const most = 1n << 40n;
  if (php.memoryLimitBytes > most) refuse('php.memory_limit_bytes', 'is over 1 TiB');
  if (php.maxBodyBytes > most) refuse('php.max_body_bytes', 'is over 1 TiB');
  if (php.maxExecutionSeconds > 86_400) refuse('php.max_execution_seconds', 'is over a day');
}

function checkTls(tls: TlsSpec): void {
  if (tls.certificatePem.length > MAX_CERTIFICATE) refuse('http.tls.certificate_pem', 'is too long');
  if (tls.keyPem.length > MAX_SECRET) refuse('http.tls.key_pem', 'is too long');
  if (!/^-----BEGIN CERTIFICATE-----\r?\n/.test(tls.certificatePem)) {
    refuse('http.tls.certificate_pem', 'is no certificate, PEM');
  }
  if (tls.hstsSeconds > MAX_HSTS_SECONDS) refuse('http.tls.hsts_seconds', 'is over two years');
}

/** RFC 8555, 8.1 and 8.3: token and key authorisation are base64url. */
function checkChallenges(challenges: Readonly<Record<string, string>>): void {
  const entries = Object.entries(challenges);
  if (entries.length > MAX_NAMES + 1) refuse('http.challenges', 'has more than the site has names');
  for (const [token, answer] of entries) {
    match(token, /^[A-Za-z0-9_-]{16,128}$/, 'http.challenges', 'tokens of base64url');
    match(answer, /^[A-Za-z0-9_-]{16,128}\.[A-Za-z0-9_-]{43}$/, 'http.challenges', 'key authorisations');
  }
}

export function checkHttpSpec(spec: HttpSpec): ValidHttpSpec {
  checkId('site', spec.siteId, 'http.site_id');
  checkNames(spec.name, spec.aliases, 'http');
  checkUrl(spec.url, 'http.url');
  if (!isAppName(spec.app)) refuse('http.app', 'is no app we know');
  if (!['enabled', 'disabled', 'held', 'moved'].includes(spec.state)) {
    refuse('http.state', 'is none of enabled, disabled, held, moved');
  }
  if (spec.upstream !== undefined) checkUpstream(spec.upstream, 'http.upstream');
  else if (spec.state === 'moved') refuse('http.upstream', 'is missing');
  if (spec.writer !== undefined) checkUpstream(spec.writer, 'http.writer');
  if (spec.writerHead !== '') checkId('svc', spec.writerHead, 'http.writer_head');
  if (spec.php !== undefined) checkPhp(spec.php);
  const platform = checkPlatform(present(spec.platform, 'http.platform'), 'http.platform', true);
  if (platform.app !== spec.app) refuse('http.app', 'is not the app of its platform');
  if (spec.tls !== undefined) checkTls(spec.tls);
  checkChallenges(spec.challenges);
  if (spec.auth !== undefined) checkAuth(spec.auth);
  if (spec.snippet !== undefined) checkSnippet(spec.snippet);
  if (spec.fronts.length > MAX_FRONTS) refuse('http.fronts', `has more than ${MAX_FRONTS} addresses`);
  for (const front of spec.fronts) if (isIP(front) === 0) refuse('http.fronts', 'has something that is no IP address');
  checkSharedRoot(spec.sharedRoot, 'http.shared_root');
  if (spec.redirectTo !== '' && ![spec.name, ...spec.aliases].includes(spec.redirectTo)) {
    refuse('http.redirect_to', 'is none of the names of the site');
  }
  const seconds = spec.cron?.intervalSeconds;
  if (seconds !== undefined && (seconds < MIN_CRON_SECONDS || seconds > MAX_CRON_SECONDS)) {
    refuse('http.cron.interval_seconds', `is not between ${MIN_CRON_SECONDS} and ${MAX_CRON_SECONDS}`);
  }
  return { ...spec, platform };
}

/** Where requests for a site go on to. */
export function checkUpstream({ address, port, tlsPort }: UpstreamSpec, field: string): void {
  if (isIP(address) === 0 || address.includes('%')) refuse(`${field}.address`, 'is no IP address');
  if (port < 1 || port > 65_535) refuse(`${field}.port`, 'is not between 1 and 65535');
  if (tlsPort > 65_535) refuse(`${field}.tls_port`, 'is over 65535');
}

function checkAuth(auth: HttpAuthSpec): void {
  if (!isRealm(auth.realm)) refuse('http.auth.realm', 'is no realm of 1 to 100 plain characters');
  if (auth.users.length === 0 || auth.users.length > MOST_AUTH_USERS) {
    refuse('http.auth.users', `needs 1 to ${MOST_AUTH_USERS} users`);
  }
  for (const { name, passwordHash } of auth.users) {
    if (!isAuthUser(name)) refuse('http.auth.users.name', 'needs 1 to 64 letters, digits and ._@+-');
    if (!isPasswordHash(passwordHash)) refuse('http.auth.users.password_hash', 'is no hash of crypt(3) by SHA-512');
  }
  if (new Set(auth.users.map(({ name }) => name)).size !== auth.users.length) {
    refuse('http.auth.users', 'has a name twice');
  }
}

function checkSnippet(snippet: SnippetSpec): void {
  if (checkedSnippet(snippet.engine, snippet.text) !== snippet.text) {
    refuse('http.snippet.text', 'needs lines that end with a line feed, none empty at the end');
  }
}

function checkSharedRoot(root: string, field: string): void {
  if (root === '') return;
  if (absolutePath(root, field) !== root || root === '/') refuse(field, 'is no directory without a slash at its end');
}

function checkPassword(password: string, field: string): void {
  // Long enough that masking it in logs never eats ordinary words.
  match(password, /^[\x21-\x7e]{8,256}$/, field, '8 to 256 printable ASCII characters without spaces');
}

export function checkDbSpec(spec: DbSpec): DbSpec {
  checkId('site', spec.siteId, 'db.site_id');
  match(spec.database, /^[A-Za-z0-9_]{1,64}$/, 'db.database', '1 to 64 letters, digits or underscores');
  match(spec.user, /^[A-Za-z0-9_]{1,32}$/, 'db.user', '1 to 32 letters, digits or underscores');
  checkPassword(spec.password, 'db.password');
  if (spec.from.length === 0 || spec.from.length > MAX_ADDRESSES) {
    refuse('db.from', `needs 1 to ${MAX_ADDRESSES} addresses`);
  }
  for (const from of spec.from) {
    if (from !== 'localhost' && isIP(from) === 0) refuse('db.from', 'has something that is no IP address');
  }
  return spec;
}

function checkRecord(record: DnsRecord): void {
  match(record.name, RECORD_NAME, 'dns.records.name', 'a name in lower case ASCII form without a trailing dot');
  if (!RECORD_TYPES.includes(record.type)) refuse('dns.records.type', `is none of ${RECORD_TYPES.join(', ')}`);
  if (record.ttl > 2_147_483_647) refuse('dns.records.ttl', 'is over 2147483647');
  if (record.data === '') refuse('dns.records.data', 'is empty');
  freeText(record.data, 'dns.records.data', 4096);
}

export function checkDnsSpec(spec: DnsSpec): DnsSpec {
  if (!isId('zone', spec.siteId)) checkId('site', spec.siteId, 'dns.site_id');
  if (spec.zone !== '') checkName(spec.zone, 'dns.zone');
  if (spec.records.length > MAX_RECORDS) refuse('dns.records', `has more than ${MAX_RECORDS} records`);
  for (const record of spec.records) checkRecord(record);
  return spec;
}

export function checkZoneSpec(zone: ZoneSpec): ZoneSpec {
  checkId('zone', zone.zoneId, 'zone.zone_id');
  checkName(zone.name, 'zone.name');
  if (zone.nameservers.length === 0 || zone.nameservers.length > MAX_NAMESERVERS) {
    refuse('zone.nameservers', `needs 1 to ${MAX_NAMESERVERS} host names`);
  }
  for (const nameserver of zone.nameservers) checkName(nameserver, 'zone.nameservers');
  mailAddress(zone.contact, 'zone.contact');
  for (const [field, ttl] of [
    ['zone.ttl', zone.ttl],
    ['zone.negative_ttl', zone.negativeTtl],
  ] as const) {
    if (ttl < 1 || ttl > 2_147_483_647) refuse(field, 'is not between 1 and 2147483647');
  }
  return zone;
}

export function checkClusterSpec(cluster: ClusterSpec): ClusterSpec {
  const { heads, checkMillis, fall, rise } = cluster;
  if (heads.length > MAX_HEADS) refuse('cluster.heads', `has more than ${MAX_HEADS} heads`);
  for (const { serviceId, address, port, state, weight } of heads) {
    checkId('svc', serviceId, 'cluster.heads.service_id');
    if (isIP(address) === 0) refuse('cluster.heads.address', 'is no IP address');
    if (port < 1 || port > 65_535) refuse('cluster.heads.port', 'is not between 1 and 65535');
    if (!['active', 'draining', 'out'].includes(state))
      refuse('cluster.heads.state', 'is none of active, draining, out');
    if (weight < 1 || weight > 100) refuse('cluster.heads.weight', 'is not between 1 and 100');
  }
  if (new Set(heads.map((head) => head.serviceId)).size !== heads.length) refuse('cluster.heads', 'has a head twice');
  if (checkMillis < 200 || checkMillis > 60_000) refuse('cluster.check_millis', 'is not between 200 and 60000');
  if (fall < 1 || fall > 10) refuse('cluster.fall', 'is not between 1 and 10');
  if (rise < 1 || rise > 10) refuse('cluster.rise', 'is not between 1 and 10');
  return cluster;
}

export function checkZoneName(name: string, field: string): string {
  checkName(name, field);
  return name;
}

export function checkFileSpec(spec: FileSpec): FileSpec {
  return { ...spec, root: absolutePath(spec.root, 'file.root') };
}

function checkConnection(db: DbConnection): void {
  if (db.driver !== 'mysql' && db.driver !== 'pgsql') refuse('site.db.driver', 'is neither mysql nor pgsql');
  if (db.socket !== '') {
    if (absolutePath(db.socket, 'site.db.socket') !== db.socket) refuse('site.db.socket', 'ends in a slash');
    if (db.host !== '' || db.port !== 0) refuse('site.db', 'has both a socket and a host or port');
  } else {
    if (isIP(db.host) === 0) checkName(db.host, 'site.db.host');
    if (db.port < 1 || db.port > 65_535) refuse('site.db.port', 'is not between 1 and 65535');
  }
  match(db.database, /^[A-Za-z0-9_]{1,64}$/, 'site.db.database', '1 to 64 letters, digits or underscores');
  match(db.user, /^[A-Za-z0-9_]{1,32}$/, 'site.db.user', '1 to 32 letters, digits or underscores');
  checkPassword(db.password, 'site.db.password');
}

/** Empty, or a name that no program takes for an option. */
export function checkAccount(account: string, field: string): void {
  match(account, /^(?:[\p{L}\p{N}_][\p{L}\p{N}_.@ '+-]{0,59})?$/u, field, "up to 60 letters, digits or _.@ '+-");
}

export function checkSite(site: SiteSpec): ValidSite {
  checkId('site', site.id, 'site.id');
  checkNames(site.name, site.aliases, 'site');
  checkUrl(site.url, 'site.url');
  if (site.db !== undefined) checkConnection(site.db);
  freeText(site.title, 'site.title', 200);
  match(site.locale, /^(?:[A-Za-z][A-Za-z0-9_@.-]{0,31})?$/, 'site.locale', 'a locale such as en or en_US');
  match(site.profile, /^(?:[a-z][a-z0-9_]{0,63})?$/, 'site.profile', 'the name of an install profile');
  checkAccount(site.adminName, 'site.admin_name');
  if (site.adminMail !== '') mailAddress(site.adminMail, 'site.admin_mail');
  checkSharedRoot(site.sharedRoot, 'site.shared_root');
  if (site.uid !== 0 && !isSharedUid(site.uid)) refuse('site.uid', "is no number of sites' users");
  match(site.salt, /^[A-Za-z0-9._~-]{32,128}$/, 'site.salt', '32 to 128 URL-safe characters');
  return { ...site, platform: checkPlatform(present(site.platform, 'site.platform'), 'site.platform', true) };
}

/** Where a database's changes are, in its engine's own words. */
export function checkPosition(position: string, field: string): string {
  if (/^[A-Za-z0-9._/:-]{0,300}$/.test(position)) return position;
  return refuse(field, 'is none that a database server says');
}
