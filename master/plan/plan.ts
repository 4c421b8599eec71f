// Plans are values: everything a task will do, decided before it starts. Nothing here does I/O, reads clocks or
// makes random choices; ids and times are passed in. Secrets are named by id, never carried.
import type { JsonObject } from '../store/model.ts';
import type { BackupStepArgs } from './backup-args.ts';
import type { DnsStepArgs } from './dns-args.ts';
import type { Verb } from './verbs.ts';

/** DnsRecord of spec.proto as JSON. */
export type PlannedRecord = {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly data: string;
};

/** DnsRecordRecord of the store as JSON. */
export type DeclaredRecord = {
  readonly id: string;
  readonly zoneId: string;
  readonly name: string;
  readonly type: string;
  readonly ttl: number | null;
  readonly data: string;
};

/** What can be changed of a site; certificate only where it comes with the change. */
export type SiteValues = {
  readonly aliases: readonly string[];
  readonly web: {
    readonly https: 'off' | 'self-signed' | 'acme' | 'acme-dns' | 'own';
    readonly redirect: boolean;
    readonly hstsSeconds: number;
    readonly redirectTo: string;
    readonly php: {
      readonly version: string;
      readonly children: number;
      readonly memoryBytes: number;
      readonly bodyBytes: number;
      readonly seconds: number;
    };
  };
  /** Seconds between two runs of its cron; 0 for off, null for the app's default. */
  readonly cronSeconds: number | null;
  readonly certificate?: PlannedCertificate | null;
  readonly auth?: {
    readonly realm: string;
    /** Hashes of passwords by id of their secret. */
    readonly users: readonly { readonly name: string; readonly secret: string }[];
  } | null;
  readonly snippet?: { readonly engine: string; readonly text: string } | null;
};

/** What a site relates to. */
export type SiteBindings = {
  readonly platformId: string;
  readonly bindings: { readonly http: string; readonly db?: string; readonly dns?: string; readonly file?: string };
  /** As in SiteRecord; left out, it stays. */
  readonly dnsByHand?: boolean;
};

/** SiteCertificate of the store as JSON. */
export type PlannedCertificate = {
  readonly source: 'self-signed' | 'acme' | 'own';
  readonly names: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
  readonly issuer: string;
  readonly chainPem: string;
  readonly keySecret: string;
};

/** What people declare of a service; secrets by id. */
export type ServiceValues = {
  readonly settings: { readonly [key: string]: string };
  readonly secrets: { readonly [key: string]: string };
};

/** What can be changed of a zone. */
export type ZoneValues = {
  readonly nameservers: readonly string[];
  readonly contact: string;
  readonly ttl: number;
  readonly lowTtl: number;
  readonly ttlPolicy: 'normal' | 'low';
  readonly leadSeconds: number;
  readonly negativeTtl: number;
  readonly dnssec: boolean;
};

/** SitePlace of the store as JSON: where a site is taken to be, when that is not what its record says. */
export type Place = { readonly platformId: string; readonly http: string; readonly db: string };

/** SiteMove of the store as JSON. */
export type PlannedMove = {
  readonly from: Place;
  readonly to: Place;
  readonly phase: 'copying' | 'held' | 'moved';
};

/** held: visitors wait in the agent's gate; moved: they are handed on to where the site is now. */
export type Served = 'enabled' | 'disabled' | 'held' | 'moved';

/** HeadRecord of the store. */
export type HeadState = 'joining' | 'active' | 'draining' | 'out' | 'leaving';

/** The arguments of every kind of step. A step names records by id; its handler reads them when it runs. */
export interface StepArgs extends BackupStepArgs, DnsStepArgs {
  /** Bring the http service of the site to the site's spec; undo removes it there (or goes back to `before`). */
  'http.publish': {
    serviceId: string;
    siteId: string;
    state: Served;
    before: 'absent' | Served;
    /** Whether the site's cron runs there, while it is enabled; of all that publish it, on one. */
    cron?: boolean;
    /** Like the service; see Place. */
    place?: Place;
    /** In state moved: where the site is now. */
    upstream?: Place;
    /** A server that hands visitors on: its word on them is believed. */
    believes?: string;
    /** Others than those of that server get the maintenance page: it is not certain yet that the site goes there. */
    closed?: boolean;
    /** They wait in the gate instead. */
    holds?: boolean;
  };
  /** Take the site off the http service. */
  'http.unpublish': { serviceId: string; siteId: string };
  /** Database and user; undo drops them when this task created them. */
  'db.create': {
    serviceId: string;
    siteId: string;
    before: 'absent' | 'present';
    place?: Place;
    /** Http services besides those of the place whose servers may use it, too. */
    also?: readonly string[];
  };
  /** The site's user is locked out of its database; undo lets it in again. */
  'db.freeze': { serviceId: string; siteId: string; place: Place };
  'db.drop': { serviceId: string; siteId: string };
  /** Whether it could be dropped now, while there still is a way back. */
  'db.free': { serviceId: string; siteId: string };
  /** User, directories, settings on the web server; undo removes them. */
  /** keepShared: as in site.remove, for undo. */
  'site.prepare': {
    serverId: string;
    siteId: string;
    before: 'absent' | 'present';
    keepShared: boolean;
    place?: Place;
  };
  /** keepShared: other web servers still serve it, with the files that they share. mayReturn: it lives on elsewhere. */
  'site.remove': { serverId: string; siteId: string; keepShared: boolean; mayReturn?: boolean; place?: Place };
  /** The app's installer. */
  'site.install': { serverId: string; siteId: string };
  /** Ask for the home page on the web server. */
  'site.probe': { serviceId: string; siteId: string; place?: Place };
  /** Run the app's cron now. */
  'site.cron': { serverId: string; siteId: string };
  'site.login': { serverId: string; siteId: string; account: string };
  /**
   * The site's state in the graph; undo sets `before`, or, when that is absent, deletes the record with its secrets.
   * First step of an install (to installing, before absent: the record is there already, saved with the task) and last of most.
   */
  'site.record': {
    siteId: string;
    to: 'installing' | 'enabled' | 'disabled' | 'deleting';
    before: 'absent' | 'installing' | 'enabled' | 'disabled' | 'deleting' | 'failed';
  };
  /** Brings back how the site was served, when the steps after it were undone; doing it changes nothing. */
  'site.restore': {
    siteId: string;
    part:
      | { of: 'http'; serviceId: string; state: 'enabled' | 'disabled'; cron?: boolean }
      | { of: 'files'; serverId: string }
      | { of: 'db'; serviceId: string; without: string }
      | { of: 'dns'; serviceId: string; zone: string; records: readonly PlannedRecord[] };
  };
  /** That the site is on its way; undo says what was before. */
  'site.move': { siteId: string; to: PlannedMove | null; before: PlannedMove | null };
  /** Where the site is. dns: the services that tell a person what to set, where that goes along. */
  'site.place': { siteId: string; to: Place; before: Place; dns?: { to: string; before: string } };
  /** Whether the site can be where it shall: platform, room, ports, mesh. Its result says what it found. */
  'move.check': {
    siteId: string;
    from: Place;
    to: Place;
    /** The site stays: a copy of it is to be there. */
    copy?: boolean;
  };
  /** Whether the old server reaches the site's ports on the new one, which listens by now. */
  'move.reach': { siteId: string; from: Place; to: Place };
  /**
   * A part as it is now, brought to where the site shall be. round counts from 1; more: it is left out when the round before
   * had little to bring. deadline: no later than so long after the step that began to hold.
   */
  'copy.files': {
    siteId: string;
    from: Place;
    to: Place;
    round: number;
    deadline: Deadline | null;
    /** The site that is at from, where that is another one: it is copied. */
    of?: string;
  };
  'copy.database': {
    siteId: string;
    from: Place;
    to: Place;
    round: number;
    deadline: Deadline | null;
    /** Index of replica.open: left out when the database follows. */
    unless: number | null;
    /** See copy.files. */
    of?: string;
  };
  /**
   * The files of a site from the head that takes its writes to others, by service id, which are made equal. must: all of
   * them; otherwise those whose servers are connected. discard: also those that keep files which are nowhere else.
   */
  'sync.files': {
    siteId: string;
    from: string;
    to: readonly string[];
    must: boolean;
    discard: boolean;
    deadline: Deadline | null;
  };
  /** The head has no files of these sites any more that are nowhere else. */
  'spread.tidy': { head: string; siteIds: readonly string[] };
  /** Which head takes the writes. lost: the one of before does not answer, and keeps what it has. */
  'site.writer': { siteId: string; to: string; before: string; lost: boolean };
  /** Opens the gate at the old place, which holds; undo has it hand on what it holds to the old place, and closes it. */
  'gate.hold': { siteId: string; serviceId: string; maxHoldMillis: number };
  /** What was held, and what still comes to the gate, goes to the new place. */
  'gate.forward': { siteId: string; serviceId: string; to: Place };
  /** Waits until the gate has nothing left, and closes it. */
  'gate.close': { siteId: string; serviceId: string; to: Place };
  /** Sleeps, durably, until so long after the step first began. */
  'move.wait': { seconds: number; why: string };
  /** Sleeps until the old place was not asked for so long, at most `most` seconds. */
  'move.quiet': { siteId: string; serverId: string; seconds: number; most: number };
  /** The database as it is now, kept on its server; undo brings it back. */
  'db.guard': { serviceId: string; siteId: string; place: Place };
  /** Lets go of what db.guard, the step of that index, kept. */
  'db.unguard': { serviceId: string; siteId: string; guard: number };
  /**
   * Makes ready that the database at the new place follows the old one; its result says when it cannot. passwordSecret: of
   * an account for the servers to do it among themselves; null where what changed travels as parts.
   */
  'replica.open': { siteId: string; from: Place; to: Place; passwordSecret: string | null };
  /** Begins to follow, or brings what changed since. */
  'replica.follow': { siteId: string; from: Place; to: Place; passwordSecret: string | null; open: number };
  /** The follower has everything, and follows no more. */
  'replica.finish': {
    siteId: string;
    from: Place;
    to: Place;
    passwordSecret: string | null;
    open: number;
    deadline: Deadline;
  };
  'replica.close': { siteId: string; from: Place; open: number };
  'site.upgrade': { serverId: string; siteId: string; place?: Place };
  'site.set': { siteId: string; to: SiteValues; before: SiteValues };
  'site.rebind': { siteId: string; to: SiteBindings; before: SiteBindings };
  /** A self-signed certificate where there is none that is good for all names. */
  'certificate.ensure': { siteId: string; before: PlannedCertificate | null };
  /** by left out: http-01. */
  'certificate.order': { siteId: string; by?: 'dns-01' };
  /** The proofs of these names beside records, which the site has in the zone; undo leaves records alone there. */
  'certificate.prove': {
    serviceId: string;
    siteId: string;
    zone: string;
    names: readonly string[];
    records: readonly PlannedRecord[];
  };
  'certificate.fetch': { siteId: string; before: PlannedCertificate | null };
  /** Forget the key of a former certificate, unless the site still has it. */
  'certificate.tidy': { siteId: string; keySecret: string };
  /** Forget the site and its secrets. */
  'site.forget': { siteId: string };
  /** compare: another web server of its cluster has been looked at; this one must have the same. */
  'platform.verify': { platformId: string; serverId: string; added: boolean; compare: boolean };
  'service.prepare': { serviceId: string };
  'service.enable': {
    serviceId: string;
    before: 'detected' | 'disabled' | 'enabled';
  };
  /** The record is saved with the task; undo forgets it with its secrets. */
  'service.declare': { serviceId: string };
  /** recorded: where its bytes lie elsewhere then, what setOf in graph/stores.ts says of the backups that were there. */
  /** Its backups are found where these lead it; otherwise it fails before anything is led there. */
  'store.require': { serviceId: string; to: ServiceValues };
  'service.set': { serviceId: string; to: ServiceValues; before: ServiceValues; recorded?: string };
  /** They were saved with the task; undo forgets them. */
  'secrets.keep': { secretIds: readonly string[] };
  'secrets.forget': { secretIds: readonly string[] };
  /** The service's own record and its heads are saved with the task or changed by steps; this brings the front to them. */
  'cluster.apply': { clusterId: string };
  /** Brings the front to the records again when the steps after it were undone; doing it changes nothing. */
  'cluster.restore': { clusterId: string };
  /** Until its front finds the head healthy, or the head has no more requests to work on. */
  'cluster.await': { clusterId: string; headServiceId: string; until: 'healthy' | 'empty'; seconds: number };
  /** Visitors who are bound to a head come back to it that long. */
  'cluster.pause': { clusterId: string; seconds: number };
  /** done: doing it takes the cluster off its front; undone: undoing does. */
  'cluster.remove': { clusterId: string; when: 'done' | 'undone' };
  /** The head's state in the graph; undo sets before, or, when that is absent, forgets the head, which was saved with the task. */
  'head.record': { headId: string; to: HeadState; before: HeadState | 'absent' };
  'head.forget': { headId: string };
  /** Forget a declared service with its secrets. */
  'service.forget': { serviceId: string };
  /** How the service is, by its engine's check; an error fails the step. */
  'service.check': { serviceId: string };
  /** A token on a share; undo takes it back. */
  'share.leave': { serviceId: string; token: string };
  /** Whether another server sees it, and writes there: its result, for share.judge. */
  'share.look': { serviceId: string; token: string };
  /** Take the token back, and fail when a server did not see it. */
  'share.judge': { serviceId: string; token: string; share: string; lookers: readonly string[] };
  'server.detect': { serverId: string };
  'server.diagnose': { serverId: string };
  /** Bytes that mean nothing, timed. */
  'mesh.probe': { senderId: string; receiverId: string; bytes: number };
  /**
   * One thing of a server's verify: looked at, and, with repair, brought to what it should be. What it finds is its result:
   * one thing that is broken must not keep others from being mended. here: it lies on the server itself.
   */
  'verify.part': { part: VerifiedPart; group: 'service' | 'site'; subject: string; repair: boolean; here: boolean };
  /** Ports of its services, from the master and from other servers. */
  'server.ports': { serverId: string };
  /** What all steps before found. */
  'server.report': { serverId: string; checkOnly: boolean };
  /** Fails when errors remain. */
  'server.judge': { serverId: string };
}

/** step: index of the step that began to hold. */
export type Deadline = { readonly step: number; readonly millis: number };

export type StepKind = keyof StepArgs;

type VerifiedKind = 'service.prepare' | 'service.check' | 'db.create' | 'site.prepare' | 'http.publish';
export type VerifiedPart = {
  [K in VerifiedKind]: { readonly kind: K; readonly args: StepArgs[K] & JsonObject };
}[VerifiedKind];

export type PlanStep = {
  [K in StepKind]: {
    readonly kind: K;
    readonly args: StepArgs[K] & JsonObject;
    /** One sentence for people. */
    readonly summary: string;
    /** Server it happens on; null for the master itself. */
    readonly serverId: string | null;
    /** What undoing does, or why there is nothing to undo. */
    readonly undo: { readonly summary: string } | { readonly none: string };
    /** Visitors wait meanwhile: it is given up at the end of their hold, and so is the task. */
    readonly within?: Deadline;
  };
}[StepKind];

/** By lock, what the plan was decided on, by part: see master/task/basis.ts. */
export type Basis = { readonly [lock: string]: { readonly [part: string]: string } };

export interface Plan {
  readonly verb: Verb;
  readonly subjectId: string;
  readonly subject: string;
  readonly summary: string;
  readonly steps: readonly PlanStep[];
  readonly warnings: readonly string[];
  /** After this step has begun, the task only goes forward: failures are retried, then wait for a person. */
  readonly pointOfNoReturn: number | null;
  /** What was asked, as the API's request in JSON, without secrets: a retry asks it again. */
  readonly request?: JsonObject;
  /** Keys of things no other task may change meanwhile, for example site/site-…; see NewTask.locks. */
  readonly locks: readonly string[];
  /** Read when it was asked for, with what was saved then. */
  readonly basis?: Basis;
}
