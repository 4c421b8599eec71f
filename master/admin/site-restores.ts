// What a site was restored from: since then it is what that backup holds, whatever was found of it before.
import type { Graph } from '../graph/graph.ts';
import type { SiteRecord } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import type { Tx } from '../store/store.ts';

/** Older ones are of a site of which more has been found since. */
const LOOKED_AT = 200;

export interface Restore {
  /** When it was done. */
  readonly at: number;
  readonly backupId: string;
  /** undefined where it was removed since. */
  readonly backup: BackupRecord | undefined;
}

/** The newest that went well, into its own place or as a new site. */
export async function lastRestore(tx: Pick<Tx, 'tasks' | 'backups'>, siteId: string): Promise<Restore | undefined> {
  const tasks = await tx.tasks.list({ subjectId: siteId, state: 'succeeded', limit: LOOKED_AT });
  const task = tasks.find(({ verb }) => verb === 'backup.restore');
  const backupId = task === undefined ? undefined : restoredIn(task.plan);
  if (task === undefined || backupId === undefined) return undefined;
  return { at: task.finishedAt ?? task.createdAt, backupId, backup: await tx.backups.get(backupId) };
}

function restoredIn(plan: object): string | undefined {
  const { steps = [] } = plan as { steps?: readonly { kind: string; args: { backupId?: string } }[] };
  return steps.find(({ kind }) => kind === 'restore.files' || kind === 'restore.database')?.args.backupId;
}

/**
 * A site's own backups; of one that was deleted and brought back from a backup also those that it had before. all: of every
 * site. Another site that had its name is another site.
 */
export async function backupsOf(
  tx: Pick<Tx, 'tasks' | 'backups'>,
  graph: Graph,
  site: Pick<SiteRecord, 'id' | 'name'>,
  all: readonly BackupRecord[],
): Promise<readonly BackupRecord[]> {
  const own = all.filter(({ siteId }) => siteId === site.id);
  const there = new Set(graph.sites.map(({ id }) => id));
  const former = all.filter(({ siteId, siteName }) => siteName === site.name && !there.has(siteId));
  if (former.length === 0) return own;
  const from = (await lastRestore(tx, site.id))?.backupId;
  const was = former.find(({ id }) => id === from)?.siteId;
  return was === undefined ? own : [...own, ...all.filter(({ siteId }) => siteId === was)];
}
