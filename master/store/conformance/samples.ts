// Records for the suite, with values that are easily lost: unicode, empty, the largest numbers, null.
import {
  type CertificateRecord,
  type ClientRecord,
  type CronRecord,
  type DnsRecordRecord,
  type HeadRecord,
  NO_PHP_LIMITS,
  type PlatformRecord,
  type SecretRecord,
  type ServerRecord,
  type ServiceRecord,
  type SettingRecord,
  type SiteRecord,
  type TokenRecord,
  type UsageRecord,
  type ZoneRecord,
} from '../model.ts';
import type { BackupPolicyRecord, BackupRecord, StoreHoldRecord } from '../model-backup.ts';
import type { BatchRecord } from '../model-batch.ts';
import type { NewTask, Store, Tx } from '../store.ts';

export const ODD = 'Žluťoučký kůň 🐎 \u202e"\'`;--\n\t\\ ﷽ \u{10ffff}';
export const BIG = Number.MAX_SAFE_INTEGER;

export function server(id: string, changes: Partial<ServerRecord> = {}): ServerRecord {
  return {
    id,
    name: `${id}.example`,
    state: 'accepted',
    facts: {
      hostname: ODD,
      os: '',
      kernel: '6.1.0',
      arch: 'x64',
      cpus: 4294967295,
      memoryBytes: 18446744073709551615n,
      disks: [{ mount: '/', type: 'ext4', sizeBytes: 9007199254740993n, freeBytes: 0n, network: true }],
      addresses: ['2001:db8::1', '192.0.2.1'],
      sourceAddresses: [],
      hostKind: 'systemd',
      agentVersion: '',
    },
    autoEnable: [],
    enrolledAt: BIG,
    lastSeenAt: null,
    certificateExpiresAt: 0,
    ...changes,
  };
}

export function service(id: string, serverId: string, changes: Partial<ServiceRecord> = {}): ServiceRecord {
  return {
    id,
    serverId,
    type: 'http',
    engine: 'nginx',
    instance: '',
    state: 'enabled',
    stateBefore: 'detected',
    detected: {
      type: 'http',
      engine: 'nginx',
      instance: '',
      version: ODD,
      ports: [80, 443],
      configRoots: ['/etc/nginx'],
      running: true,
      manageable: false,
      socket: '',
      capabilities: [],
    },
    origin: 'detected',
    settings: {},
    secrets: {},
    ...changes,
  };
}

export function platform(id: string, serviceId: string, changes: Partial<PlatformRecord> = {}): PlatformRecord {
  return { id, name: id, app: '', serviceId, root: '/srv/ű', state: 'new', facts: null, ...changes };
}

export function site(id: string, platformId: string, changes: Partial<SiteRecord> = {}): SiteRecord {
  return {
    id,
    name: `${id}.example`,
    aliases: [],
    state: 'installing',
    platformId,
    bindings: { http: 'svc-1' },
    clientId: null,
    title: ODD,
    locale: '',
    profile: '',
    adminName: 'admin',
    adminMail: 'a@b.example',
    database: '',
    dbUser: '',
    dbPasswordSecret: null,
    saltSecret: 'sec-1',
    createdAt: 1,
    web: { https: 'off', redirect: false, hstsSeconds: 0, redirectTo: '', php: NO_PHP_LIMITS },
    certificate: null,
    issuing: null,
    cronSeconds: null,
    uid: 0,
    auth: null,
    snippet: null,
    moving: null,
    spread: null,
    dnsByHand: false,
    proven: null,
    ...changes,
  };
}

export function token(id: string, changes: Partial<TokenRecord> = {}): TokenRecord {
  return {
    id,
    kind: 'join',
    hash: `hash of ${id}`,
    description: ODD,
    role: '',
    usesLeft: BIG,
    expiresAt: null,
    createdAt: -1,
    revokedAt: null,
    autoAccept: true,
    autoEnable: ['http', 'db'],
    ...changes,
  };
}

export const certificate: CertificateRecord = { id: '0f', serverId: 'srv-1', notAfter: BIG, revokedAt: null };
export const client: ClientRecord = { id: 'cli-1', name: ODD, mail: '' };
export function zone(id: string, serviceId: string, changes: Partial<ZoneRecord> = {}): ZoneRecord {
  return {
    ...{ id, name: `${id}.example`, serviceId, state: 'new', nameservers: ['ns1.example', 'ns2.example'] },
    ...{ contact: '', ttl: 0, lowTtl: 2_147_483_647, ttlPolicy: 'normal', leadSeconds: BIG, negativeTtl: 0 },
    ...{ dnssec: true, createdAt: 1 },
    ...changes,
  };
}

export function head(id: string, serviceId: string, changes: Partial<HeadRecord> = {}): HeadRecord {
  return { id, clusterId: serviceId, serviceId, state: 'joining', weight: 1, ...changes };
}

export function dnsRecord(id: string, zoneId: string, changes: Partial<DnsRecordRecord> = {}): DnsRecordRecord {
  return { id, zoneId, name: 'a.example', type: 'TXT', ttl: null, data: ODD, ...changes };
}

export function cron(siteId: string, changes: Partial<CronRecord> = {}): CronRecord {
  return {
    ...{ id: `${siteId}/srv-1`, siteId, serverId: 'srv-1', intervalSeconds: 3600, nextAt: BIG, lastStartedAt: null },
    ...{ lastMillis: 0, lastOutcome: '', lastText: '', failures: 0 },
    ...changes,
  };
}

export function usage(siteId: string, day: string, changes: Partial<UsageRecord> = {}): UsageRecord {
  return {
    ...{ siteId, serverId: 'srv-1', day, requests: 0, bytes: 0, s1: 0, s2: 0, s3: 0, s4: 0, s5: 0 },
    ...{ fileBytes: null, inodes: null, logBytes: null, databaseBytes: null, measuredAt: null },
    ...changes,
  };
}

export function backup(id: string, changes: Partial<BackupRecord> = {}): BackupRecord {
  return {
    ...{ id, siteId: 'site-gone', siteName: ODD, serviceId: 'svc-1', state: 'making', reason: 'person', note: ODD },
    ...{ taskId: 'task-1', takenAt: BIG, bytes: BIG, newBytes: 0, storedBytes: 1, chunks: 2, digest: '', parts: [] },
    site: {
      ...{ aliases: [ODD], url: '', app: 'drupal', appVersion: '', platformId: 'plat-1', platform: ODD },
      ...{ dbServiceId: '', dbEngine: '', dnsServiceId: '', clientId: null, title: ODD, locale: '', profile: '' },
      ...{ adminName: '', adminMail: '', cronSeconds: null, closed: true, state: 'disabled' },
      snippet: { engine: 'nginx', text: ODD },
      web: { https: 'off', redirect: false, hstsSeconds: 0, redirectTo: '', php: NO_PHP_LIMITS },
    },
    ...{ verifiedAt: null, triedAt: 0, provenAt: null, provenMillis: 0, problem: ODD, keep: true },
    ...changes,
  };
}

export const policy: BackupPolicyRecord = {
  ...{ id: 'default', everySeconds: 2_678_400, serviceId: null, keepLast: BIG, keepDaily: 0, keepWeekly: 1 },
  ...{ keepMonthly: 2, keepYearly: 3, drillEverySeconds: 0, drillServerId: null },
};
export const batch: BatchRecord = {
  ...{ id: 'batch-1', summary: ODD, state: 'running', actor: ODD, atOnce: 2, stopAfter: 3, failures: 0, round: 1 },
  wish: {
    ...{ platform: '', server: 'web2', db: '', maxHoldMillis: 0, pastHold: '', quietSeconds: 0, rounds: 0 },
    skipLead: true,
  },
  sites: [{ siteId: 'site-1', name: ODD, state: 'waiting', taskId: '', why: ODD }],
  createdAt: BIG,
};
export const hold: StoreHoldRecord = { id: 'share/nas task-1', store: 'share/nas', taskId: 'task-1', mode: 'wanted' };

export const secret: SecretRecord = { id: 'sec-1', sealed: `${'A'.repeat(100_000)}==` };
export const setting: SettingRecord = { id: 'ca.certificate', value: '' };

/** srv-1, svc-1 on it, plat-1 and zone-1 on that. */
export async function saveGround(tx: Tx | Store): Promise<void> {
  await tx.servers.insert(server('srv-1'));
  await tx.services.insert(service('svc-1', 'srv-1'));
  await tx.platforms.insert(platform('plat-1', 'svc-1'));
  await tx.zones.insert(zone('zone-1', 'svc-1'));
}

export function task(id: string, changes: Partial<NewTask> = {}): NewTask {
  return {
    id,
    verb: 'site.install',
    subjectId: 'site-1',
    subject: ODD,
    state: 'queued',
    reason: '',
    actor: 'tok-1',
    plan: { verb: 'site.install', odd: ODD, nul: 'a\0b', half: '\ud800', big: BIG, none: null, list: [1.5, false, {}] },
    createdAt: 1000,
    startedAt: null,
    finishedAt: null,
    resumeAt: null,
    cancelRequested: false,
    undoCause: null,
    idempotencyKey: null,
    locks: [],
    steps: [{ kind: 'site.record' }, { kind: 'http.publish' }],
    ...changes,
  };
}
