// How large a site is, by what was found last: agents measure a few times a day, and each backup says what it holds. After
// a restore what was found before counts no more: the site is as large as the backup that it was restored from.
import type { SiteSizes } from '../plan/backup-steps.ts';
import type { BackupPartName, BackupRecord } from '../store/model-backup.ts';
import type { AdminDeps } from './deps.ts';
import { loadGraph } from './load.ts';
import { siteRef } from './site-ref.ts';
import { lastRestore, type Restore } from './site-restores.ts';

const RECENT_DAYS = 30;
const DAY_MS = 86_400_000;
const UNKNOWN: SiteSizes = { fileBytes: null, databaseBytes: null, knownAt: null };

/** at: null where the agent did not say at what time of the day. */
interface Found {
  readonly bytes: number;
  readonly at: number | null;
}

/** Of the last month; nothing for a site that is not there. */
export async function sizesOf(deps: Pick<AdminDeps, 'store' | 'now'>, named: string): Promise<SiteSizes> {
  const ref = siteRef(named);
  const byName = async () =>
    (await loadGraph(deps.store)).sites.find(({ name, aliases }) => name === ref || aliases.includes(ref));
  // Moves of many sites have ids.
  const site = (await deps.store.sites.get(ref)) ?? (await byName());
  if (site === undefined) return UNKNOWN;
  const since = deps.now() - RECENT_DAYS * DAY_MS;
  const days = await deps.store.usage.byDay(site.id, new Date(since).toISOString().slice(0, 10));
  const restore = await lastRestore(deps.store, site.id);
  const [backup] = (await deps.store.backups.find({ siteId: site.id, state: 'ready' }))
    .filter(({ takenAt }) => takenAt >= since)
    .sort((a, b) => b.takenAt - a.takenAt);
  const [filesDay, databaseDay] = [
    days.find(({ fileBytes }) => fileBytes !== null),
    days.find(({ databaseBytes }) => databaseBytes !== null),
  ];
  const files = sinceThat(
    restore,
    newer(found(filesDay?.fileBytes, filesDay?.filesAt), partOf(backup, 'files'), filesDay?.day),
    'files',
    filesDay?.day,
  );
  const database = sinceThat(
    restore,
    newer(
      found(databaseDay?.databaseBytes, databaseDay?.databaseAt),
      site.bindings.db === undefined ? undefined : partOf(backup, 'database'),
      databaseDay?.day,
    ),
    'database',
    databaseDay?.day,
  );
  const times = [files, database].flatMap((each) => (each === undefined ? [] : [each.at]));
  return {
    fileBytes: files?.bytes ?? null,
    databaseBytes: database?.bytes ?? null,
    knownAt: times.length === 0 || times.includes(null) ? null : Math.min(...(times as number[])),
  };
}

function found(bytes: number | null | undefined, at: number | null | undefined): Found | undefined {
  return bytes === null || bytes === undefined ? undefined : { bytes, at: at ?? null };
}

function partOf(
  backup: BackupRecord | undefined,
  name: BackupPartName,
  at = backup?.takenAt ?? null,
): Found | undefined {
  const part = backup?.parts.find((each) => each.part === name);
  return part === undefined ? undefined : { bytes: part.bytes, at };
}

/** What was found before a restore is of what the site was. A backup that is gone says nothing: then it is not known. */
function sinceThat(
  restore: Restore | undefined,
  known: Found | undefined,
  name: BackupPartName,
  day = '',
): Found | undefined {
  if (restore === undefined || (known?.at ?? Date.parse(day)) > restore.at) return known;
  return partOf(restore.backup, name, restore.at);
}

/** day: of what was measured, for agents that do not say when. */
function newer(measured: Found | undefined, kept: Found | undefined, day = ''): Found | undefined {
  if (measured === undefined || kept === undefined) return measured ?? kept;
  return (kept.at ?? 0) > (measured.at ?? Date.parse(day)) ? kept : measured;
}
