// From records to the specs that agents get. Pure; secrets come in opened and go out on the agent's wire only.

import { AegirError } from '../../shared/error.ts';
import type {
  DbConnection,
  DbSpec,
  DnsSpec,
  HttpSpec,
  PhpSpec,
  PlatformSpec,
  ServiceRef,
  SiteSpec,
  ZoneSpec,
} from '../../shared/gen/aegir/v1/spec.ts';
import { DB_ENGINES } from '../../shared/vocabulary.ts';
import { cronSeconds } from '../graph/cron.ts';
import { siteUrl } from '../graph/site-url.ts';
import type { PlannedRecord } from '../plan/plan.ts';
import type { PlatformRecord, ServerRecord, ServiceRecord, SiteRecord, ZoneRecord } from '../store/model.ts';

/** Everything around one site. */
export interface SiteParts {
  readonly site: SiteRecord;
  readonly platform: PlatformRecord;
  readonly http: ServiceRecord;
  readonly web: ServerRecord;
  /** null for sites without a database. */
  readonly db: { readonly service: ServiceRecord; readonly server: ServerRecord; readonly password: string } | null;
  readonly salt: string;
  /** Key of its certificate, PEM; null when it has none. */
  readonly tlsKey: string | null;
}

/** secrets: opened, by the engine's key. */
export function serviceRef(service: ServiceRecord, secrets: Readonly<Record<string, string>>): ServiceRef {
  return {
    id: service.id,
    serverId: service.serverId,
    type: service.type,
    engine: service.engine,
    version: '',
    instance: service.instance,
    settings: { ...service.settings },
    secrets: { ...secrets },
  };
}

export function platformSpec(platform: PlatformRecord): PlatformSpec {
  return { id: platform.id, app: platform.app, root: platform.root };
}

/** cron: whether it runs on the server that gets this. */
export function httpSpec(parts: SiteParts, state: 'enabled' | 'disabled', cron: boolean): HttpSpec {
  const { site, platform } = parts;
  const seconds = cronSeconds(site, platform);
  return {
    siteId: site.id,
    name: site.name,
    aliases: [...site.aliases],
    app: platform.app,
    platform: platformSpec(platform),
    url: siteUrl(site, parts.http),
    state,
    php: phpSpec(site),
    tls:
      site.web.https === 'off' || site.certificate === null || parts.tlsKey === null
        ? undefined
        : {
            certificatePem: site.certificate.chainPem,
            keyPem: parts.tlsKey,
            redirect: site.web.redirect,
            hstsSeconds: site.web.hstsSeconds,
          },
    challenges: Object.fromEntries((site.issuing?.challenges ?? []).map(({ token, answer }) => [token, answer])),
    redirectTo: site.web.redirectTo,
    cron: cron && seconds > 0 ? { intervalSeconds: seconds } : undefined,
  };
}

export function phpSpec({ web }: SiteRecord): PhpSpec {
  const { version, children, memoryBytes, bodyBytes, seconds } = web.php;
  return {
    version,
    maxChildren: children,
    memoryLimitBytes: BigInt(memoryBytes),
    maxBodyBytes: BigInt(bodyBytes),
    maxExecutionSeconds: seconds,
  };
}

/** Web and database on one server with a socket: by the socket; otherwise by the database server's first address. */
function bySocket(parts: SiteParts): boolean {
  return parts.db !== null && parts.db.server.id === parts.web.id && parts.db.service.detected.socket !== '';
}

/** holdsContent: the site was there before. */
export function dbSpec(parts: SiteParts, holdsContent: boolean): DbSpec {
  const { site, db, web } = parts;
  if (db === null) throw new AegirError('internal', `cannot make a database for ${site.name}: it binds to none`);
  return {
    siteId: site.id,
    database: site.database,
    user: site.dbUser,
    password: db.password,
    from: bySocket(parts) ? ['localhost'] : [...new Set(web.facts.sourceAddresses)],
    holdsContent,
  };
}

export function dbConnection(parts: SiteParts): DbConnection | undefined {
  const { site, db } = parts;
  if (db === null) return undefined;
  const { engine, detected } = db.service;
  const spoken = Object.hasOwn(DB_ENGINES, engine) ? DB_ENGINES[engine] : undefined;
  if (spoken === undefined) {
    throw new AegirError(
      'failed_precondition',
      `cannot reach the database of ${site.name}: nobody knows how sites speak to ${engine}; update the master`,
    );
  }
  const socket = bySocket(parts) ? detected.socket : '';
  const [host] = db.server.facts.addresses;
  if (socket === '' && host === undefined) {
    throw new AegirError(
      'failed_precondition',
      `cannot reach the database of ${site.name}: ${db.server.name} has no address`,
    );
  }
  return {
    driver: spoken.driver,
    host: socket === '' ? (host ?? '') : '',
    port: socket === '' ? (detected.ports[0] ?? spoken.port) : 0,
    socket,
    database: site.database,
    user: site.dbUser,
    password: db.password,
  };
}

export function siteSpec(parts: SiteParts): SiteSpec {
  const { site } = parts;
  return {
    id: site.id,
    name: site.name,
    aliases: [...site.aliases],
    url: siteUrl(site, parts.http),
    platform: platformSpec(parts.platform),
    db: dbConnection(parts),
    title: site.title,
    locale: site.locale,
    profile: site.profile,
    adminName: site.adminName,
    adminMail: site.adminMail,
    salt: parts.salt,
  };
}

/** owner: a site, or a zone for what people declared in it. */
export function dnsSpec(owner: string, zone: string, records: readonly PlannedRecord[]): DnsSpec {
  return { siteId: owner, zone, records: records.map((record) => ({ ...record })) };
}

export function zoneSpec(zone: ZoneRecord): ZoneSpec {
  const { id, name, nameservers, contact, ttl, negativeTtl, dnssec } = zone;
  return { zoneId: id, name, nameservers: [...nameservers], contact, ttl, negativeTtl, dnssec };
}
