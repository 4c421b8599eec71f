// The records of moves of many sites. Times are milliseconds since 1970.

export type BatchSite = {
  readonly siteId: string;
  readonly name: string;
  /** skipped: it cannot move, why says it. */
  readonly state: 'waiting' | 'moving' | 'moved' | 'failed' | 'skipped';
  readonly taskId: string;
  readonly why: string;
};

/** What is asked of each: MigrateSiteRequest without site and options. */
export type BatchWish = {
  readonly platform: string;
  readonly server: string;
  readonly db: string;
  readonly maxHoldMillis: number;
  readonly pastHold: string;
  readonly quietSeconds: number;
  readonly rounds: number;
  readonly skipLead: boolean;
  /** Absent from those of before there was any. */
  readonly backup?: string;
  readonly noBackup?: boolean;
  readonly noFollow?: boolean;
  readonly noDnsWait?: boolean;
  /** Id of the server that is left: of a site with nothing but its database there, only that moves. */
  readonly leaving?: string;
};

export interface BatchRecord {
  readonly id: string;
  readonly summary: string;
  /** stopped: by a person; failed: too many did. */
  readonly state: 'running' | 'stopped' | 'failed' | 'done';
  /** Who asked; its tasks are his. */
  readonly actor: string;
  readonly wish: BatchWish;
  readonly atOnce: number;
  readonly stopAfter: number;
  /** Failures that count: those since it was begun or resumed. */
  readonly failures: number;
  /** Grows with each resume, so that sites which failed get new tasks. */
  readonly round: number;
  readonly sites: readonly BatchSite[];
  readonly createdAt: number;
}
