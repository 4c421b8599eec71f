// Which backups of one site its policy keeps. Pure.
import { counted } from '../../shared/words.ts';
import type { BackupPolicyRecord, BackupRecord } from '../store/model-backup.ts';

type Counts = Pick<BackupPolicyRecord, 'keepLast' | 'keepDaily' | 'keepWeekly' | 'keepMonthly' | 'keepYearly'>;
type Dated = Pick<BackupRecord, 'id' | 'takenAt' | 'state' | 'keep' | 'reason' | 'provenAt'>;

/** Made by Aegir before it changes a site: what was restored away from is not the backup of its day. */
const SAFETY: readonly string[] = ['restore', 'migrate'];
/** Days that those are kept for: until a backup is that much newer. */
const SAFETY_DAYS = 7;

/**
 * Those to remove. Kept are the newest keepLast, and the newest of each of the last days, weeks (from Monday), months and
 * years that have one, in UTC. A policy without any count keeps all; so does the mark keep. The newest that is whole always
 * stays, so does the one that was proven last, and only whole ones count: those that were found damaged go when a newer one is whole. One
 * that is missing stays known: its store may be led back to it. Those that were made before
 * a restore or a move count for nothing, and go when a whole one is a week newer.
 */
export function notKept<B extends Dated>(backups: readonly B[], policy: Counts): readonly B[] {
  if (!throwsAway(policy)) return [];
  const newestFirst = [...backups].sort((a, b) => b.takenAt - a.takenAt || (a.id < b.id ? 1 : -1));
  const ready = newestFirst.filter(({ state }) => state === 'ready');
  const whole = ready.filter(({ reason }) => !SAFETY.includes(reason));
  const kept = new Set<string>();
  const [newest] = ready;
  if (newest === undefined) return [];
  kept.add(newest.id);
  const [proven] = ready
    .filter(({ provenAt }) => provenAt !== null)
    .sort((a, b) => (b.provenAt ?? 0) - (a.provenAt ?? 0));
  if (proven !== undefined) kept.add(proven.id);
  const periods: readonly (readonly [number, (at: number, id: string) => string])[] = [
    [policy.keepLast, (_, id) => id],
    [policy.keepDaily, dayOf],
    [policy.keepWeekly, weekOf],
    [policy.keepMonthly, (at) => dayOf(at).slice(0, 7)],
    [policy.keepYearly, (at) => dayOf(at).slice(0, 4)],
  ];
  for (const [count, periodOf] of periods) {
    const seen = new Set<string>();
    for (const { id, takenAt } of whole) {
      const period = periodOf(takenAt, id);
      if (seen.has(period)) continue;
      if (seen.size >= count) break;
      seen.add(period);
      kept.add(id);
    }
  }
  return newestFirst.filter(({ id, state, keep, reason, takenAt }) => {
    if (keep || kept.has(id)) return false;
    if (state === 'ready' && SAFETY.includes(reason)) return takenAt < newest.takenAt - SAFETY_DAYS * DAY_MS;
    return state === 'ready' || (state === 'damaged' && takenAt < newest.takenAt);
  });
}

const DAY_MS = 86_400_000;

/** Without any count it keeps all. */
export function throwsAway(policy: Counts): boolean {
  const counts = [policy.keepLast, policy.keepDaily, policy.keepWeekly, policy.keepMonthly, policy.keepYearly];
  return counts.some((count) => count > 0);
}

/** Of a policy that throws away: until when it keeps a backup that is made now and not marked; a condition of present tense. */
export function keptWhile({ keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly }: Counts): string {
  const last = keepLast === 0 ? [] : [keepLast === 1 ? 'the last one' : `one of the last ${keepLast}`];
  const spans = Object.entries({ day: keepDaily, week: keepWeekly, month: keepMonthly, year: keepYearly })
    .filter(([, count]) => count > 0)
    .map(([span, count]) => counted(count, span));
  const newest = spans.length === 0 ? [] : [`the newest of one of the last ${spans.join(', ')}`];
  return `it is ${[...last, ...newest].join(', or ')}`;
}

function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** The day of its Monday. */
function weekOf(at: number): string {
  const weekday = (new Date(at).getUTCDay() + 6) % 7;
  return dayOf(at - weekday * DAY_MS);
}
