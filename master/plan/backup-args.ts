// The arguments of the kinds of steps that make, read and remove backups; part of StepArgs in plan.ts.

export type PartName = 'database' | 'files';

export interface BackupStepArgs {
  /**
   * The task works in stores: with others that bring and read, or alone. All of them at once, or it waits; undo lets go.
   * services: those that lead to the places; it fails when one leads elsewhere by then. Left out by older masters.
   */
  'store.hold': { places: readonly string[]; mode: 'shared' | 'exclusive'; services?: readonly string[] };
  'store.release': { places: readonly string[]; mode: 'shared' | 'exclusive'; forGood?: true };
  /** A part of the site as it is now, for others to fetch; undo forgets it. trees: of files. */
  'snapshot.take': { siteId: string; serverId: string; part: PartName; trees: readonly string[] };
  /** take: index of the step that took it. */
  'snapshot.drop': { siteId: string; serverId: string; part: PartName; take: number };
  /** The backup's record was saved with the task; undo forgets it. */
  'backup.record': { backupId: string };
  /** Brings the parts into the store; files and database: indexes of the steps that took them, or null. */
  'backup.store': {
    backupId: string;
    siteId: string;
    serviceId: string;
    files: { take: number; serverId: string; trees: readonly string[] };
    database: { take: number; serverId: string } | null;
  };
  /** It is whole: what the step of that index says of it is recorded. */
  'backup.ready': { backupId: string; store: number };
  /** The database and its user are there, empty when they were lost; what is there stays. */
  'db.ensure': { serviceId: string; siteId: string };
  /** safety: undo brings that backup back, which the step of that index made. */
  'restore.database': { siteId: string; serviceId: string; backupId: string; safety: Safety | null };
  'restore.files': {
    siteId: string;
    serverId: string;
    trees: readonly string[];
    backupId: string;
    safety: Safety | null;
  };
  /** The app says the site's own names instead of those that its content is for. */
  'site.rewrite': {
    siteId: string;
    serverId: string;
    oldUrl: string;
    oldNames: readonly string[];
    /** Stands in paths. */
    oldSiteId: string;
  };
  /** That a drill failed is recorded when it is undone, with why; doing it notes when it began. */
  'drill.begin': { backupId: string };
  /** What was restored is what the backup says it holds; recorded as proven once the scratch site is gone. */
  'drill.compare': { backupId: string; database: number | null; files: number | null };
  /**
   * begin: when that step began, the restore did. database, where it was not compared before: index of the step that restored
   * it; where other tables came back nothing is proven.
   */
  'drill.prove': { backupId: string; begin: number; database?: number };
  /** A look at it in its store; what it finds is recorded. */
  'backup.check': { backupId: string; readAll: boolean };
  /** Nothing reads them any more; undo says what they were before. */
  'backup.mark': {
    backups: readonly {
      readonly id: string;
      readonly before: 'making' | 'ready' | 'damaged' | 'missing' | 'deleting';
    }[];
  };
  /** Which of those that were whole are not there: their records are not to be forgotten for that. */
  'store.look': { serviceId: string; backupIds: readonly string[] };
  /** Backups go, and what nothing in the store names. looked: index of the step that looked for them; those absent stay. */
  'store.prune': { serviceId: string; backupIds: readonly string[]; looked?: number };
  /** looked: those that it did not find are recorded as missing. */
  'backup.forget': { backupIds: readonly string[]; looked?: number };
}

export type Safety = { readonly backupId: string; readonly store: number };
