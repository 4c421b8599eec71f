// The records of backups. Times are milliseconds since 1970; ids as in shared/id.ts.
import type { SiteSnippet, SiteWeb } from './model.ts';

export type BackupPartName = 'manifest' | 'database' | 'files';

/** PartFacts of backup.proto as JSON, and how much is in it. */
export type BackupPart = {
  readonly part: BackupPartName;
  /** SHA-256 of its own index, lower-case hex. */
  readonly digest: string;
  readonly firstChunk: number;
  readonly chunks: number;
  readonly bytes: number;
  /** Entries of the archive; of a database its tables; 0 for not known. */
  readonly entries: number;
};

export const BACKUP_REASONS = ['person', 'schedule', 'restore', 'delete', 'migrate', 'drill'] as const;
export type BackupReason = (typeof BACKUP_REASONS)[number];

/** What of the site's record brings it back when it is gone; no secrets. */
export type BackedUpSite = {
  readonly aliases: readonly string[];
  readonly url: string;
  readonly app: string;
  readonly appVersion: string;
  readonly platformId: string;
  readonly platform: string;
  readonly dbServiceId: string;
  readonly dbEngine: string;
  readonly dnsServiceId: string;
  readonly clientId: string | null;
  readonly title: string;
  readonly locale: string;
  readonly profile: string;
  readonly adminName: string;
  readonly adminMail: string;
  readonly web: SiteWeb;
  readonly cronSeconds: number | null;
  /** It asked for names and passwords, which are in no backup. */
  readonly closed: boolean;
  /** How it was served. Absent in records of older masters, like what follows. */
  readonly state?: 'enabled' | 'disabled';
  readonly snippet?: SiteSnippet | null;
};

/** When a backup of a site was proven restorable. */
export interface SiteProof {
  readonly at: number;
  readonly backupId: string;
  /** How long the restore took, milliseconds. */
  readonly millis: number;
}

export interface BackupRecord {
  readonly id: string;
  /** The site may be gone. */
  readonly siteId: string;
  readonly siteName: string;
  readonly serviceId: string;
  /** damaged: a look found it so; missing: a look did not find it in its store. */
  readonly state: 'making' | 'ready' | 'damaged' | 'missing' | 'deleting';
  readonly reason: BackupReason;
  readonly note: string;
  /** Task that makes it, or made it. */
  readonly taskId: string;
  readonly takenAt: number;
  readonly bytes: number;
  readonly newBytes: number;
  readonly storedBytes: number;
  readonly chunks: number;
  /** SHA-256 of its index, lower-case hex; '' while it is made. */
  readonly digest: string;
  readonly parts: readonly BackupPart[];
  readonly site: BackedUpSite;
  readonly verifiedAt: number | null;
  /** Last drill, however it went. */
  readonly triedAt: number | null;
  readonly provenAt: number | null;
  readonly provenMillis: number;
  readonly problem: string;
  readonly keep: boolean;
}

/** Id of the policy of sites that have none of their own. */
export const DEFAULT_POLICY = 'default';

export interface BackupPolicyRecord {
  /** Site id, or default. */
  readonly id: string;
  /** Seconds between two backups; 0 for none. */
  readonly everySeconds: number;
  readonly serviceId: string | null;
  readonly keepLast: number;
  readonly keepDaily: number;
  readonly keepWeekly: number;
  readonly keepMonthly: number;
  readonly keepYearly: number;
  /** Seconds between two drills; 0 for none. */
  readonly drillEverySeconds: number;
  readonly drillServerId: string | null;
}

/** A task works in a store. Counts while the task is open. */
export interface StoreHoldRecord {
  /** Store and task id with a space between. */
  readonly id: string;
  /** What is one place, however many services lead to it; see master/graph/stores.ts. */
  readonly store: string;
  readonly taskId: string;
  /** shared: backups come or are read; exclusive: what nothing names goes; wanted: it waits for the shared ones to end. */
  readonly mode: 'shared' | 'exclusive' | 'wanted';
}
