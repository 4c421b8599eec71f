// Records for tests of the graph, plans and tasks: web1 with http, dns and a platform; db1 with a database; one site.
import { createGraph, type GraphSnapshot } from '../master/graph/graph.ts';
import {
  NO_PHP_LIMITS,
  type PlatformRecord,
  type ServerRecord,
  type ServiceRecord,
  type SiteRecord,
} from '../master/store/model.ts';
import type { DetectedService, HostFacts } from '../shared/gen/aegir/v1/agent.ts';

const ID = (n: number) => `0123456789abcde${n}`;

export const ids = {
  web1: `srv-${ID(1)}`,
  db1: `srv-${ID(2)}`,
  nginx: `svc-${ID(1)}`,
  mariadb: `svc-${ID(2)}`,
  dns: `svc-${ID(3)}`,
  platform: `plat-${ID(1)}`,
  site: `site-${ID(1)}`,
} as const;

export function facts(address: string): HostFacts {
  return {
    hostname: 'host.example.org',
    os: 'Debian GNU/Linux 12',
    kernel: '6.1.0',
    arch: 'x64',
    cpus: 2,
    memoryBytes: 4_294_967_296n,
    disks: [],
    addresses: [address],
    sourceAddresses: [address],
    hostKind: 'systemd',
    agentVersion: '0.1.0',
  };
}

export function server(id: string, name: string, address: string, patch: Partial<ServerRecord> = {}): ServerRecord {
  return {
    id,
    name,
    state: 'accepted',
    facts: facts(address),
    autoEnable: [],
    enrolledAt: 1,
    lastSeenAt: null,
    certificateExpiresAt: 4_102_444_800_000,
    ...patch,
  };
}

export function service(
  id: string,
  serverId: string,
  type: ServiceRecord['type'],
  engine: string,
  port: number,
  patch: Partial<ServiceRecord> = {},
): ServiceRecord {
  const detected: DetectedService = {
    type,
    engine,
    instance: '',
    version: '1',
    ports: port === 0 ? [] : [port],
    configRoots: [],
    running: true,
    manageable: true,
    socket: '',
    capabilities: [],
  };
  return {
    id,
    serverId,
    type,
    engine,
    instance: '',
    state: 'enabled',
    stateBefore: 'enabled',
    detected,
    origin: 'detected',
    settings: {},
    secrets: {},
    ...patch,
  };
}

export const platform: PlatformRecord = {
  id: ids.platform,
  name: 'wordpress',
  app: 'wordpress',
  serviceId: ids.nginx,
  root: '/usr/share/wordpress',
  state: 'verified',
  facts: null,
};

export const site: SiteRecord = {
  id: ids.site,
  name: 'example.org',
  aliases: ['www.example.org'],
  state: 'enabled',
  platformId: ids.platform,
  bindings: { http: ids.nginx, db: ids.mariadb, dns: ids.dns },
  clientId: null,
  title: 'Example',
  locale: '',
  profile: '',
  adminName: 'admin',
  adminMail: 'admin@example.org',
  database: 'site_0123456789abcde1',
  dbUser: 's_0123456789abcde1',
  dbPasswordSecret: 'sec-0123456789abcde1',
  saltSecret: 'sec-0123456789abcde2',
  createdAt: 3,
  web: { https: 'off', redirect: false, hstsSeconds: 0, redirectTo: '', php: NO_PHP_LIMITS },
  certificate: null,
  auth: null,
  snippet: null,
  moving: null,
  spread: null,
  dnsByHand: false,
  proven: null,
  issuing: null,
  cronSeconds: null,
  uid: 0,
};

export const snapshot: GraphSnapshot = {
  servers: [server(ids.web1, 'web1', '192.0.2.11'), server(ids.db1, 'db1', '192.0.2.21')],
  services: [
    service(ids.nginx, ids.web1, 'http', 'nginx', 80),
    service(ids.mariadb, ids.db1, 'db', 'mariadb', 3306),
    service(ids.dns, ids.web1, 'dns', 'null', 0),
  ],
  platforms: [platform],
  sites: [site],
  clients: [],
  zones: [],
  records: [],
  heads: [],
};

export const graphOf = (patch: Partial<GraphSnapshot> = {}) => createGraph({ ...snapshot, ...patch });
