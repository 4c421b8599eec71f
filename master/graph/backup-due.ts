// Which sites are due for a backup, and which backups for a drill. Pure.
import type { SiteRecord } from '../store/model.ts';
import type { BackupPolicyRecord, BackupRecord } from '../store/model-backup.ts';

/** What was tried for one site and failed since it last went well. */
export interface Failures {
  readonly count: number;
  readonly lastAt: number;
}

export const NO_FAILURES: Failures = { count: 0, lastAt: 0 };
const AFTER_FAILURE_MS = 15 * 60_000;
/** What keeps failing is tried more and more rarely. */
const LONGEST_MS = 12 * 3_600_000;
/** So much of its interval a site's turn comes later than another's, so that not all come at once. */
const SPREAD = 0.1;

/**
 * When the next backup of a site is due, ms since 1970; null for never. Missed turns are not made up for: the next one
 * counts from the last that was made.
 */
export function backupDueAt(
  site: Pick<SiteRecord, 'id' | 'state' | 'createdAt'>,
  last: Pick<BackupRecord, 'takenAt'> | undefined,
  policy: Pick<BackupPolicyRecord, 'everySeconds'>,
  failures: Failures,
): number | null {
  if (policy.everySeconds === 0 || (site.state !== 'enabled' && site.state !== 'disabled')) return null;
  const every = policy.everySeconds * 1000;
  const usual =
    last === undefined ? site.createdAt : last.takenAt + every + Math.floor(every * SPREAD * shareOf(site.id));
  return Math.max(usual, retryAt(failures));
}

/** When the newest backup of a site is due for a drill; null for never. lastTriedAt: of any backup of the site. */
export function drillDueAt(
  siteId: string,
  newest: Pick<BackupRecord, 'takenAt'> | undefined,
  lastTriedAt: number | null,
  policy: Pick<BackupPolicyRecord, 'drillEverySeconds'>,
  failures: Failures,
): number | null {
  if (policy.drillEverySeconds === 0 || newest === undefined) return null;
  const every = policy.drillEverySeconds * 1000;
  const usual =
    lastTriedAt === null ? newest.takenAt : lastTriedAt + every + Math.floor(every * SPREAD * shareOf(siteId));
  return Math.max(usual, retryAt(failures));
}

function retryAt({ count, lastAt }: Failures): number {
  return count === 0 ? 0 : lastAt + Math.min(AFTER_FAILURE_MS * 2 ** (count - 1), LONGEST_MS);
}

/** 0 to 1, always the same for one id (FNV-1a). */
function shareOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193) >>> 0;
  return hash / 0xffffffff;
}
