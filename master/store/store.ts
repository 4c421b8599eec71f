// The store as everyone else sees it: no SQL leaks out. Two implementations pass one suite: SQLite and PostgreSQL.
// What a resolved promise acknowledged is durable (SQLite synchronous=FULL; PostgreSQL synchronous_commit=on).
import type {
  AuditRecord,
  CertificateRecord,
  ClientRecord,
  CronRecord,
  DnsRecordRecord,
  EventRecord,
  HeadRecord,
  PlatformRecord,
  SecretRecord,
  ServerRecord,
  ServiceRecord,
  SettingRecord,
  SiteRecord,
  StepRecord,
  TaskRecord,
  TokenRecord,
  UsageRecord,
  ZoneRecord,
} from './model.ts';
import type { BackupPolicyRecord, BackupRecord, StoreHoldRecord } from './model-backup.ts';
import type { BatchRecord } from './model-batch.ts';

export interface Table<R extends { readonly id: string }> {
  get(id: string): Promise<R | undefined>;
  /** Rows whose scalar columns equal those of where; in order of id. */
  find(where?: Partial<R>): Promise<readonly R[]>;
  /** Throws already_exists when a unique rule forbids it. */
  insert(record: R): Promise<void>;
  /** Throws not_found; already_exists. */
  update(id: string, patch: Partial<Omit<R, 'id'>>): Promise<void>;
  /** False when there was none. */
  delete(id: string): Promise<boolean>;
}

export interface NewTask extends Omit<TaskRecord, 'seq' | 'leaseOwner' | 'leaseEpoch' | 'leaseExpiresAt'> {
  /** Keys that no other open task may work on at the same time; older tasks go first. */
  readonly locks: readonly string[];
  readonly steps: readonly { readonly kind: string }[];
}

export interface TaskFilter {
  readonly state?: string;
  /** Or one of several. */
  readonly subjectId?: string | readonly string[];
  /** Only tasks with a smaller seq: the next page, newest first. */
  readonly beforeSeq?: number;
  readonly limit: number;
}

export interface TaskTable {
  get(id: string): Promise<TaskRecord | undefined>;
  /** Newest first. */
  list(filter: TaskFilter): Promise<readonly TaskRecord[]>;
  /** Task, steps and locks at once. Throws already_exists for a known idempotency key of the same actor. */
  insert(task: NewTask): Promise<void>;
  /** The oldest open task that holds a lock which this one needs, too; undefined when none keeps it waiting. */
  ahead(id: string): Promise<string | undefined>;
  byIdempotencyKey(actor: string, key: string, since: number): Promise<TaskRecord | undefined>;
  /**
   * Gives owner up to limit tasks to work on: open, not stuck, due (queued; waiting with resumeAt <= now; running or
   * undoing), whose lease is free or expired at now, and for each of whose locks no older open task holds the same key.
   * Each gets a fresh, larger leaseEpoch. Cancel requests make a waiting task due. A queued one that is cancelled has not
   * begun and needs nothing: it comes whatever older tasks hold, and besides the limit. On PostgreSQL: FOR UPDATE SKIP LOCKED.
   */
  claim(owner: string, now: number, leaseMs: number, limit: number): Promise<readonly TaskRecord[]>;
  /** Lengthens all leases of owner; answers the ids still held. */
  renew(owner: string, now: number, leaseMs: number): Promise<readonly string[]>;
  /**
   * Later leases get larger epochs than this; tasks under smaller ones are free for the next claim. For a store that was
   * brought back from a copy while agents had seen more. False when it was so already.
   */
  raiseEpoch(atLeast: number): Promise<boolean>;
  /** The largest epoch of any lease so far, or what it was raised to. */
  epoch(): Promise<number>;
  /** For the embedded store, where the data directory's lock proves that no other master lives: frees all leases. */
  breakLeases(): Promise<void>;
  /** Fenced: throws aborted ("lease lost") unless leaseEpoch is epoch. Ended states free the task's locks in the same transaction. */
  update(id: string, epoch: number, patch: Partial<Omit<TaskRecord, 'id' | 'seq' | 'plan'>>): Promise<void>;
  /** Not fenced: a person asked. False when the task has ended. */
  requestCancel(id: string): Promise<boolean>;
  /** Not fenced: makes a stuck task go on. False when it is not stuck. */
  unstick(id: string): Promise<boolean>;
  /** Earliest resumeAt of waiting tasks; undefined for none. */
  nextResume(): Promise<number | undefined>;
  countOpen(): Promise<number>;
}

export interface StepTable {
  /** In order of index. */
  ofTask(taskId: string): Promise<readonly StepRecord[]>;
  /** Fenced like TaskTable.update. */
  update(
    taskId: string,
    index: number,
    epoch: number,
    patch: Partial<Omit<StepRecord, 'taskId' | 'index' | 'kind'>>,
  ): Promise<void>;
}

export interface EventTable {
  /** Answers the records with their seq. Not fenced: a late log line harms nobody. */
  append(events: readonly Omit<EventRecord, 'seq'>[]): Promise<readonly EventRecord[]>;
  /** In order of seq. */
  list(taskId: string, afterSeq: number, limit: number): Promise<readonly EventRecord[]>;
}

export interface AuditTable {
  append(record: Omit<AuditRecord, 'seq'>): Promise<void>;
  list(beforeSeq: number | undefined, limit: number): Promise<readonly AuditRecord[]>;
}

/** Of some servers, and of one day or several. */
export interface UsageSum {
  readonly requests: number;
  readonly bytes: number;
  readonly statuses: readonly number[];
  readonly fileBytes: number | null;
  readonly inodes: number | null;
  readonly logBytes: number | null;
  readonly databaseBytes: number | null;
}

export interface UsageOfDay extends UsageSum {
  readonly day: string;
  /** When these sizes were measured; null where that is not known. */
  readonly filesAt: number | null;
  readonly databaseAt: number | null;
}

export interface UsageTable {
  /** Absolute values by site, server and day: what is told again changes nothing. */
  save(records: readonly UsageRecord[]): Promise<void>;
  /** Newest first. */
  byDay(siteId: string, fromDay: string): Promise<readonly UsageOfDay[]>;
  /** Sizes are those of the newest day that has them. In order of site id. */
  bySite(fromDay: string): Promise<readonly (UsageSum & { readonly siteId: string })[]>;
  /** Forgets days before this one. */
  prune(beforeDay: string): Promise<void>;
}

/** Everything inside is one transaction: all or nothing. */
export interface Tx {
  readonly servers: Table<ServerRecord>;
  readonly certificates: Table<CertificateRecord>;
  readonly services: Table<ServiceRecord>;
  readonly platforms: Table<PlatformRecord>;
  readonly sites: Table<SiteRecord>;
  readonly clients: Table<ClientRecord>;
  readonly tokens: Table<TokenRecord>;
  readonly secrets: Table<SecretRecord>;
  readonly settings: Table<SettingRecord>;
  readonly zones: Table<ZoneRecord>;
  readonly records: Table<DnsRecordRecord>;
  readonly crons: Table<CronRecord>;
  readonly usage: UsageTable;
  readonly heads: Table<HeadRecord>;
  readonly backups: Table<BackupRecord>;
  readonly backupPolicies: Table<BackupPolicyRecord>;
  readonly storeHolds: Table<StoreHoldRecord>;
  readonly batches: Table<BatchRecord>;
  readonly tasks: TaskTable;
  readonly steps: StepTable;
  readonly events: EventTable;
  readonly audit: AuditTable;
}

/** Outside of transaction(), each call is a transaction of its own. */
export interface Store extends Tx {
  readonly kind: 'sqlite' | 'postgresql';
  /**
   * Runs work in one transaction; commits when it resolves, rolls back when it throws. Writers of the graph are
   * serialised (SQLite: one connection; PostgreSQL: an advisory lock), so what was checked inside still holds at commit.
   * Inside, use tx alone: a call to the store itself throws internal, since it would wait for this transaction. A call
   * of tx whose error is caught has changed nothing. work may run again from its start when PostgreSQL reports a
   * conflict, and has a minute: others wait meanwhile.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
