// The records that the store keeps. Times are milliseconds since 1970; ids as in shared/id.ts.

import type { DetectedService, HostFacts, PlatformFacts } from '../../shared/gen/aegir/v1/agent.ts';
import type { AppName, Role, ServiceType } from '../../shared/vocabulary.ts';
import type { SiteProof } from './model-backup.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export interface ServerRecord {
  readonly id: string;
  /** Unique among servers that are not revoked. */
  readonly name: string;
  readonly state: 'pending' | 'accepted' | 'revoked';
  readonly facts: HostFacts;
  /** Types whose detected services are enabled by themselves (from the join token's policy). */
  readonly autoEnable: readonly string[];
  readonly enrolledAt: number;
  readonly lastSeenAt: number | null;
  readonly certificateExpiresAt: number;
}

export interface CertificateRecord {
  /** Serial number, lower-case hex: the id. */
  readonly id: string;
  readonly serverId: string;
  readonly notAfter: number;
  readonly revokedAt: number | null;
}

export interface ServiceRecord {
  readonly id: string;
  readonly serverId: string;
  /** '' for what is a fact only. Unique: serverId, type, engine, instance. */
  readonly type: ServiceType | '';
  readonly engine: string;
  readonly instance: string;
  readonly state: 'detected' | 'enabled' | 'disabled' | 'missing';
  /** State to go back to when a missing service is found again. */
  readonly stateBefore: 'detected' | 'enabled' | 'disabled';
  readonly detected: DetectedService;
  /** declared: a person said that it is there (an rfc2136 server elsewhere); no inventory makes it missing. */
  readonly origin: 'detected' | 'declared';
  /** What a person declared for the engine; the engine knows the keys. */
  readonly settings: Readonly<Record<string, string>>;
  /** Secret ids by key. */
  readonly secrets: Readonly<Record<string, string>>;
}

export interface ZoneRecord {
  readonly id: string;
  /** Apex, A-labels. Unique. */
  readonly name: string;
  readonly serviceId: string;
  readonly state: 'new' | 'active' | 'deleting';
  /** NS at the apex, the primary first. */
  readonly nameservers: readonly string[];
  /** Mail address for the SOA. */
  readonly contact: string;
  /** Seconds, of what Aegir publishes there. */
  readonly ttl: number;
  /** Seconds, while a site moves, or always under the policy low. */
  readonly lowTtl: number;
  readonly ttlPolicy: 'normal' | 'low';
  /** How long before a move the TTL is lowered. */
  readonly leadSeconds: number;
  readonly negativeTtl: number;
  readonly dnssec: boolean;
  readonly createdAt: number;
}

/** A record that a person declared in a zone; those of sites are computed. */
export interface DnsRecordRecord {
  readonly id: string;
  readonly zoneId: string;
  /** Fully qualified, A-labels, no trailing dot. Unique: zoneId, name, type, data. */
  readonly name: string;
  readonly type: string;
  /** Seconds; null for the zone's. */
  readonly ttl: number | null;
  readonly data: string;
}

/** A web server behind the front of a cluster. */
export interface HeadRecord {
  readonly id: string;
  /** The front: a service of engine cluster. */
  readonly clusterId: string;
  /** Its own http service. Unique: clusterId, serviceId. */
  readonly serviceId: string;
  /**
   * joining: the sites are brought to it; active: gets requests; draining: those of visitors alone who are bound to it;
   * out: none, and the sites stay; leaving: the sites are taken off it.
   */
  readonly state: 'joining' | 'active' | 'draining' | 'out' | 'leaving';
  /** Share of the requests in comparison with the others, 1 to 100. */
  readonly weight: number;
}

export interface PlatformRecord {
  readonly id: string;
  /** Unique. */
  readonly name: string;
  /** '' until verified when the person did not say. */
  readonly app: AppName | '';
  readonly serviceId: string;
  readonly root: string;
  readonly state: 'new' | 'verified' | 'failed';
  readonly facts: PlatformFacts | null;
}

export interface SiteRecord {
  readonly id: string;
  /** Main host name, A-labels. All names and aliases of all sites are unique together. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly state: 'installing' | 'enabled' | 'disabled' | 'deleting' | 'failed';
  readonly platformId: string;
  /** Service ids by type. */
  readonly bindings: {
    readonly http: string;
    readonly db?: string;
    readonly dns?: string;
    readonly file?: string;
  };
  readonly clientId: string | null;
  readonly title: string;
  readonly locale: string;
  readonly profile: string;
  readonly adminName: string;
  readonly adminMail: string;
  /** '' when the app needs none. */
  readonly database: string;
  readonly dbUser: string;
  readonly dbPasswordSecret: string | null;
  readonly saltSecret: string;
  readonly createdAt: number;
  readonly web: SiteWeb;
  /** What it is served with over HTTPS; null before there is one. */
  readonly certificate: SiteCertificate | null;
  /** An order at a certificate authority that is not finished. */
  readonly issuing: SiteIssuing | null;
  /** Seconds between two runs of its app's cron; 0 for off, null for the app's default. */
  readonly cronSeconds: number | null;
  /** Number of its system user, the same on all servers; 0 where each host chooses. Unique but for 0. */
  readonly uid: number;
  /** Who may see it; null: everybody. */
  readonly auth: SiteAuth | null;
  /** What an administrator adds to its virtual host. */
  readonly snippet: SiteSnippet | null;
  /** On its way to other services; null while it stays where its bindings say. */
  readonly moving: SiteMove | null;
  /** Where the heads of its cluster have files of their own: how these stand; null where they were never looked at. */
  readonly spread: SiteSpread | null;
  /** Its names are set by a person also where zones of ours hold them: nothing of it is published there. */
  readonly dnsByHand: boolean;
  /** When a backup of it was last proven restorable, which outlives that backup. */
  readonly proven: SiteProof | null;
}

export interface SiteSpread {
  /** Service id of the head that takes writes. */
  readonly writer: string;
  /** What the others have of its files. */
  readonly copies: readonly SiteCopy[];
  /** Heads that took writes when they were given up: what each has since its last copy is nowhere else. */
  readonly kept: readonly string[];
}

export interface SiteCopy {
  /** Service id of the head. */
  readonly head: string;
  /** Digest of the look at the writer's files that they were then, hexadecimal. */
  readonly digest: string;
  readonly at: number;
}

/** Where a site is: platform, and services by id. */
export interface SitePlace {
  readonly platformId: string;
  readonly http: string;
  /** '' for none. */
  readonly db: string;
}

export interface SiteMove {
  readonly from: SitePlace;
  readonly to: SitePlace;
  /** copying: it serves where it was; held: its visitors wait; moved: it serves where it shall be, and what is left at the old place hands on. */
  readonly phase: 'copying' | 'held' | 'moved';
}

export interface SiteAuth {
  readonly realm: string;
  /** At least one. secret: id of the hash of the password. */
  readonly users: readonly { readonly name: string; readonly secret: string }[];
  /** Id of the first user's password itself, where nobody but the probe is to get in: of the scratch site of a drill. */
  readonly probe?: string;
}

/** In the words of that engine. */
export interface SiteSnippet {
  readonly engine: string;
  readonly text: string;
}

/** How the cron of one site stands on one server, as its agent reported it. */
export interface CronRecord {
  /** Site id and server id with a slash between. */
  readonly id: string;
  readonly siteId: string;
  readonly serverId: string;
  /** 0 when it does not run there. */
  readonly intervalSeconds: number;
  readonly nextAt: number | null;
  readonly lastStartedAt: number | null;
  readonly lastMillis: number;
  readonly lastOutcome: string;
  readonly lastText: string;
  readonly failures: number;
}

/** What one site used on one server on one day. */
export interface UsageRecord {
  readonly siteId: string;
  readonly serverId: string;
  /** UTC, as 2026-11-23. */
  readonly day: string;
  readonly requests: number;
  readonly bytes: number;
  /** Requests answered 1xx to 5xx. */
  readonly s1: number;
  readonly s2: number;
  readonly s3: number;
  readonly s4: number;
  readonly s5: number;
  /** null: not measured on that day, like the following. */
  readonly fileBytes: number | null;
  readonly inodes: number | null;
  readonly logBytes: number | null;
  readonly databaseBytes: number | null;
  /** When these were measured last; null where the agent did not say. */
  readonly measuredAt: number | null;
}

/** How the web sees a site. */
export interface SiteWeb {
  /** Where its certificate comes from; off: plain HTTP alone. */
  readonly https: 'off' | 'self-signed' | 'acme' | 'acme-dns' | 'own';
  /** Plain HTTP leads to HTTPS. */
  readonly redirect: boolean;
  /** Strict-Transport-Security; 0 for none. */
  readonly hstsSeconds: number;
  /** The one of its names that all others lead to; '' for none. */
  readonly redirectTo: string;
  readonly php: SitePhp;
}

/** Limits of its PHP; '' and 0 for the engine's defaults. */
export interface SitePhp {
  readonly version: string;
  readonly children: number;
  readonly memoryBytes: number;
  readonly bodyBytes: number;
  readonly seconds: number;
}

export const NO_PHP_LIMITS: SitePhp = { version: '', children: 0, memoryBytes: 0, bodyBytes: 0, seconds: 0 };

export interface SiteCertificate {
  readonly source: 'self-signed' | 'acme' | 'own';
  readonly names: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
  readonly issuer: string;
  readonly chainPem: string;
  /** Secret id of the key. */
  readonly keySecret: string;
}

export interface SiteIssuing {
  readonly orderUrl: string;
  /** Secret id of the key of the certificate to be. */
  readonly keySecret: string;
  readonly names: readonly string[];
  readonly challenges: readonly {
    readonly name: string;
    /** Left out in orders of before there was another: http-01. */
    readonly type?: 'http-01' | 'dns-01';
    readonly url: string;
    readonly authorization: string;
    readonly token: string;
    readonly answer: string;
  }[];
}

export interface ClientRecord {
  readonly id: string;
  /** Unique. */
  readonly name: string;
  readonly mail: string;
}

export interface TokenRecord {
  readonly id: string;
  readonly kind: 'join' | 'api';
  /** sha256 hex of the value. Unique. */
  readonly hash: string;
  readonly description: string;
  readonly role: Role | '';
  readonly usesLeft: number;
  readonly expiresAt: number | null;
  readonly createdAt: number;
  readonly revokedAt: number | null;
  readonly autoAccept: boolean;
  readonly autoEnable: readonly string[];
}

/** Sealed with the master's key (AES-256-GCM, see master/ca/seal.ts); base64. */
export interface SecretRecord {
  readonly id: string;
  readonly sealed: string;
}

/** Small single values, for example the CA's certificate. */
export interface SettingRecord {
  readonly id: string;
  readonly value: string;
}

export const OPEN_TASK_STATES = ['queued', 'running', 'waiting', 'undoing', 'stuck'] as const;
export const ENDED_TASK_STATES = ['succeeded', 'failed', 'cancelled'] as const;
export type TaskState = (typeof OPEN_TASK_STATES)[number] | (typeof ENDED_TASK_STATES)[number];
export type StepState = 'pending' | 'doing' | 'done' | 'failed' | 'undoing' | 'undone' | 'skipped';

export interface TaskRecord {
  readonly id: string;
  /** Order of asking; from the store. */
  readonly seq: number;
  readonly verb: string;
  readonly subjectId: string;
  readonly subject: string;
  readonly state: TaskState;
  readonly reason: string;
  readonly actor: string;
  /** A Plan of master/plan/plan.ts. */
  readonly plan: JsonObject;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  /** When a waiting task is looked at again; null when it is not waiting. */
  readonly resumeAt: number | null;
  readonly cancelRequested: boolean;
  /** Whether what ends it is a cancel (state cancelled) or a failure; set when undoing begins. */
  readonly undoCause: 'failure' | 'cancel' | null;
  readonly idempotencyKey: string | null;
  readonly leaseOwner: string | null;
  /** Fences every write: grows with every claim, over all tasks, and is the generation of the task's actions. */
  readonly leaseEpoch: number;
  readonly leaseExpiresAt: number | null;
}

export interface StepRecord {
  readonly taskId: string;
  readonly index: number;
  readonly kind: string;
  readonly state: StepState;
  /** Definite ends of do so far, plus one while doing: names the action. */
  readonly attempts: number;
  readonly undoAttempts: number;
  /** What do gave back, for later steps and for undo. */
  readonly result: JsonObject | null;
  readonly error: string;
  readonly progress: number;
  readonly label: string;
  /** Not run again before this. */
  readonly notBefore: number | null;
  /** When do first began: for time-outs that survive a restart. */
  readonly startedAt: number | null;
}

export interface EventRecord {
  readonly seq: number;
  readonly taskId: string;
  readonly step: number | null;
  readonly time: number;
  /** An Event.body of event.proto as ts-proto's JSON. Values of secret messages are sealed. */
  readonly body: JsonObject;
}

export interface AuditRecord {
  readonly seq: number;
  readonly time: number;
  readonly actor: string;
  readonly method: string;
  readonly subject: string;
  /** ok or an error code. */
  readonly outcome: string;
}
