// From records to the specs that agents get. Pure; secrets come in opened and go out on the agent's wire only.
import { AegirError } from '../../shared/error.ts';
import type {
  ClusterHead,
  ClusterSpec,
  DbConnection,
  DbSpec,
  DnsSpec,
  HttpAuthSpec,
  HttpSpec,
  PhpSpec,
  PlatformSpec,
  ServiceRef,
  SiteSpec,
  UpstreamSpec,
  ZoneSpec,
} from '../../shared/gen/aegir/v1/spec.ts';
import { APPS, DB_ENGINES } from '../../shared/vocabulary.ts';
import { cronSeconds } from '../graph/cron.ts';
import { siteUrl } from '../graph/site-url.ts';
import { writerAmong } from '../graph/spread.ts';
import type { Place, PlannedRecord, Served } from '../plan/plan.ts';
import type {
  HeadRecord,
  PlatformRecord,
  ServerRecord,
  ServiceRecord,
  SiteRecord,
  ZoneRecord,
} from '../store/model.ts';

/** One of the web servers that serve a site. */
export interface WebServer {
  readonly service: ServiceRecord;
  readonly server: ServerRecord;
  /** Where it sees the files that all of them share; '' where they share none; null where it does not see them. */
  readonly sharedRoot: string | null;
  /** The site is being taken off it. */
  readonly leaving: boolean;
}

/** Everything around one site. */
export interface SiteParts {
  readonly site: SiteRecord;
  readonly platform: PlatformRecord;
  /** What it binds to: a web server, or the front of a cluster. */
  readonly http: ServiceRecord;
  /** Those that serve it. */
  readonly servers: readonly WebServer[];
  /** Where the front is; null without one. */
  readonly front: ServerRecord | null;
  /** null for sites without a database. */
  readonly db: { readonly service: ServiceRecord; readonly server: ServerRecord; readonly password: string } | null;
  readonly salt: string;
  /** Key of its certificate, PEM; null when it has none. */
  readonly tlsKey: string | null;
  /** Who may see it, with the hashes of their passwords; null: everybody. */
  readonly auth: HttpAuthSpec | null;
  /** By which the probe gets in; null where it asks as a visitor does. */
  readonly login: { readonly user: string; readonly password: string } | null;
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

export function webServerOn(parts: SiteParts, is: (each: WebServer) => boolean): WebServer {
  const found = parts.servers.find(is);
  if (found !== undefined) return found;
  throw new AegirError('failed_precondition', `cannot serve ${parts.site.name} there: it is no web server of the site`);
}

/** The head whose files are the site's, where each has its own; null where all see the same, or there is one. */
export function writerIn({ site, platform: { app }, http, servers }: SiteParts): WebServer | null {
  const staying = servers.filter(({ leaving }) => !leaving);
  return writerAmong(staying, ({ service }) => service.id, { site, app, http }) ?? null;
}

/** What its web server gets, or the front of its cluster, or one of the heads behind that. cron: whether it runs there. */
export function httpSpec(parts: SiteParts, serviceId: string, state: Served, cron: boolean): HttpSpec {
  const { site, platform, http, front } = parts;
  const head =
    front !== null && serviceId !== http.id ? webServerOn(parts, ({ service }) => service.id === serviceId) : null;
  const seconds = cronSeconds(site, platform);
  // A front has nothing of the site that could run.
  const runs = cron && seconds > 0 && (front === null || head !== null);
  const common = {
    siteId: site.id,
    name: site.name,
    aliases: [...site.aliases],
    app: platform.app,
    platform: platformSpec(platform),
    url: siteUrl(site, http),
    state,
    php: phpSpec(site),
    cron: runs ? { intervalSeconds: seconds } : undefined,
  };
  // Where it is served from its files; a front passes all on.
  const serving = front === null || head !== null;
  const access = {
    auth: serving && parts.auth !== null ? parts.auth : undefined,
    snippet: serving && site.snippet !== null ? { ...site.snippet } : undefined,
  };
  const writer = writerIn(parts);
  // What stands between visitors and heads does for all of them what concerns the way there.
  if (head !== null && front !== null) {
    // Heads ask each other for files that they have not yet, and hand over visitors.
    const others = writer === null ? [] : parts.servers.filter(({ service }) => service.id !== serviceId);
    const fronts = [
      ...new Set([front, ...others.map(({ server }) => server)].flatMap((at) => at.facts.sourceAddresses)),
    ];
    const sharedRoot = sharedRootOf(parts, head);
    const away = writer === null || writer.service.id === serviceId;
    return {
      ...(away ? {} : { writer: { ...upstreamSpec(writer.service, writer.server), tlsPort: 0 } }),
      writerHead: '',
      ...{ ...common, ...access },
      ...{ tls: undefined, challenges: {}, redirectTo: '', fronts, sticky: false, sharedRoot },
      ...{ frontsOnly: false, othersHeld: false },
    };
  }
  return {
    ...common,
    ...access,
    tls:
      site.web.https === 'off' || site.certificate === null || parts.tlsKey === null
        ? undefined
        : {
            certificatePem: site.certificate.chainPem,
            keyPem: parts.tlsKey,
            redirect: site.web.redirect,
            hstsSeconds: site.web.hstsSeconds,
          },
    challenges: Object.fromEntries(
      (site.issuing?.challenges ?? [])
        .filter(({ type }) => type !== 'dns-01')
        .map(({ token, answer }) => [token, answer]),
    ),
    redirectTo: site.web.redirectTo,
    fronts: [],
    frontsOnly: false,
    othersHeld: false,
    writerHead: front === null ? '' : (writer?.service.id ?? ''),
    sticky: front !== null && writer === null && platform.app !== '' && APPS[platform.app].sessions === 'files',
    sharedRoot: '',
  };
}

/** Where visitors are handed on to. */
export function upstreamSpec({ detected }: ServiceRecord, server: ServerRecord): UpstreamSpec {
  const [address] = server.facts.addresses;
  if (address === undefined) {
    throw new AegirError('failed_precondition', `cannot hand visitors on to ${server.name}: ${noAddress(server)}`);
  }
  return { address, port: detected.ports[0] ?? 80, tlsPort: detected.ports[1] ?? 0 };
}

function noAddress({ name }: ServerRecord): string {
  return (
    "it has no address; the master's log says which it left out, such as those that another server has " +
    `(then: aegir server verify ${name})`
  );
}

/** As if the site were there. */
export function placed(site: SiteRecord, place: Place | undefined): SiteRecord {
  if (place === undefined) return site;
  const { db: _, ...others } = site.bindings;
  const bindings = { ...others, http: place.http, ...(place.db === '' ? {} : { db: place.db }) };
  return { ...site, platformId: place.platformId, bindings };
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

function sharedRootOf(parts: SiteParts, { server, sharedRoot }: WebServer): string {
  if (sharedRoot !== null) return sharedRoot;
  throw new AegirError(
    'failed_precondition',
    `cannot serve ${parts.site.name} on ${server.name}: it does not see the files that the heads share; mount them there, ` +
      `then run: aegir server verify ${server.name}`,
  );
}

/** Web and database on one server with a socket: by the socket; otherwise by the database server's first address. */
function bySocket({ db, servers, front }: SiteParts): boolean {
  // With several web servers, in one way from all of them.
  if (db === null || front !== null || db.service.detected.socket === '') return false;
  return servers.every(({ server }) => server.id === db.server.id);
}

/** holdsContent: the site was there before. */
export function dbSpec(parts: SiteParts, holdsContent: boolean, frozen = false): DbSpec {
  const { site, db, servers } = parts;
  if (db === null) throw new AegirError('internal', `cannot make a database for ${site.name}: it binds to none`);
  return {
    siteId: site.id,
    database: site.database,
    user: site.dbUser,
    password: db.password,
    from: bySocket(parts)
      ? ['localhost']
      : [...new Set(servers.filter(({ leaving }) => !leaving).flatMap(({ server }) => server.facts.sourceAddresses))],
    holdsContent,
    frozen,
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
      `cannot reach the database of ${site.name} on ${db.server.name}: ${noAddress(db.server)}`,
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

/** As its app sees it on one of its web servers. */
export function siteSpec(parts: SiteParts, serverId: string): SiteSpec {
  const { site } = parts;
  const sharedRoot = sharedRootOf(
    parts,
    webServerOn(parts, ({ server }) => server.id === serverId),
  );
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
    sharedRoot,
    uid: site.uid,
  };
}

/** owner: a site, or a zone for what people declared in it. */
export function dnsSpec(owner: string, zone: string, records: readonly PlannedRecord[]): DnsSpec {
  return { siteId: owner, zone, records: records.map((record) => ({ ...record })) };
}

/** Of settings that people declare for a cluster. */
export const CHECKS = {
  'check-millis': { usual: 1_000, least: 200, most: 60_000 },
  fall: { usual: 3, least: 1, most: 10 },
  rise: { usual: 2, least: 1, most: 10 },
} as const;

export function clusterSpec(cluster: ServiceRecord, heads: ClusterSpec['heads']): ClusterSpec {
  const number = (key: keyof typeof CHECKS) => Number(cluster.settings[key] ?? CHECKS[key].usual);
  return { heads, checkMillis: number('check-millis'), fall: number('fall'), rise: number('rise') };
}

/** undefined for a head that its front does not know: not yet, or not any more. */
export function clusterHead(head: HeadRecord, service: ServiceRecord, server: ServerRecord): ClusterHead | undefined {
  if (head.state === 'joining' || head.state === 'leaving') return undefined;
  const [address] = server.facts.addresses;
  if (address === undefined) {
    throw new AegirError('failed_precondition', `cannot lead visitors to ${server.name}: ${noAddress(server)}`);
  }
  const port = service.detected.ports[0] ?? 80;
  return { serviceId: service.id, address, port, state: head.state, weight: head.weight };
}

export function zoneSpec(zone: ZoneRecord): ZoneSpec {
  const { id, name, nameservers, contact, ttl, negativeTtl, dnssec } = zone;
  return { zoneId: id, name, nameservers: [...nameservers], contact, ttl, negativeTtl, dnssec };
}
