import { describe, expect, test } from 'vitest';
import type { BackupReason } from '../store/model-backup.ts';
import { keptWhile, notKept } from './retention.ts';

const NONE = { keepLast: 0, keepDaily: 0, keepWeekly: 0, keepMonthly: 0, keepYearly: 0 };
type State = 'ready' | 'damaged' | 'making' | 'deleting';
const at = (time: string, state: State = 'ready', keep = false, reason: BackupReason = 'schedule') => ({
  ...{ id: time, takenAt: Date.parse(`${time}Z`), state, keep, reason, provenAt: null as number | null },
});
const all = [
  ...['2024-12-31T23:00', '2025-06-01T00:00', '2025-12-28T10:00', '2025-12-29T10:00', '2026-01-01T01:00'],
  ...['2026-01-01T05:00', '2026-01-04T23:59', '2026-01-05T00:00', '2026-01-05T12:00'],
].map((time) => at(time));

const table: readonly (readonly [string, Partial<typeof NONE>, readonly string[]])[] = [
  ['the last two', { keepLast: 2 }, ['2026-01-05T12:00', '2026-01-05T00:00']],
  ['days, not days ago', { keepDaily: 3 }, ['2026-01-05T12:00', '2026-01-04T23:59', '2026-01-01T05:00']],
  // From Monday, 29 December and 5 January, across the year.
  ['weeks', { keepWeekly: 3 }, ['2026-01-05T12:00', '2026-01-04T23:59', '2025-12-28T10:00']],
  ['months', { keepMonthly: 3 }, ['2026-01-05T12:00', '2025-12-29T10:00', '2025-06-01T00:00']],
  ['years', { keepYearly: 9 }, ['2026-01-05T12:00', '2025-12-29T10:00', '2024-12-31T23:00']],
  ['any of them', { keepLast: 1, keepYearly: 2 }, ['2026-01-05T12:00', '2025-12-29T10:00']],
];

describe('a policy keeps', () => {
  test.each(table)('%s', (_, counts, kept) => {
    const gone = new Set(notKept(all, { ...NONE, ...counts }));
    expect(all.filter((backup) => !gone.has(backup)).map(({ id }) => id)).toEqual(kept.toReversed());
  });

  test('all, when it counts nothing', () => {
    expect(notKept(all, NONE)).toEqual([]);
  });

  test('what is marked, what is being made, and the newest that is whole', () => {
    const backups = [at('2026-01-01T00:00', 'ready', true), at('2026-01-02T00:00'), at('2026-01-03T00:00', 'making')];
    expect(notKept(backups, { ...NONE, keepLast: 1 })).toEqual([]);
  });

  test('what was restored, and not what was restored away from: that is kept for a week besides', () => {
    const good = at('2026-01-01T12:00');
    const away = at('2026-01-01T12:10', 'ready', false, 'restore');
    expect(notKept([good, away], { ...NONE, keepDaily: 7 })).toEqual([]);
    expect(notKept([good, away, at('2026-01-08T12:00')], { ...NONE, keepDaily: 7 })).toEqual([]);
    expect(notKept([good, away, at('2026-01-08T12:20')], { ...NONE, keepDaily: 7 })).toEqual([away]);
  });

  test('the one that was proven last, until another is', () => {
    const [first, second, third] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
    const proven = [{ ...first, provenAt: 9 }, { ...second, provenAt: 8 }, third, ...all.slice(3)];
    const gone = (of: typeof proven) => notKept(of, { ...NONE, keepLast: 1 }).map(({ id }) => id);
    const others = all.slice(1, -1).map(({ id }) => id);
    expect(gone(proven)).toEqual(others.toReversed());
    const later = [...proven.slice(0, -1), { ...at('2026-01-05T12:00'), provenAt: 10 }];
    expect(gone(later)).toEqual([first.id, ...others].toReversed());
    // What is damaged proves nothing.
    expect(gone([{ ...first, provenAt: 9, state: 'damaged' as const }, ...all.slice(1)])).toContain(first.id);
  });

  test('damaged ones until a newer one is whole; they are counted for nothing', () => {
    const [old, whole, fresh] = [
      at('2026-01-01T00:00', 'damaged'),
      at('2026-01-02T00:00'),
      at('2026-01-03T00:00', 'damaged'),
    ];
    expect(notKept([old, whole, fresh], { ...NONE, keepLast: 1 })).toEqual([old]);
    expect(notKept([old, fresh], { ...NONE, keepLast: 1 })).toEqual([]);
  });
});

test.each([
  [{ keepLast: 1 }, 'it is the last one'],
  [{ keepLast: 3, keepDaily: 7 }, 'it is one of the last 3, or the newest of one of the last 7 days'],
  [{ keepDaily: 7, keepWeekly: 1 }, 'it is the newest of one of the last 7 days, 1 week'],
])('of %j it is told that a backup stays while %s', (counts, text) => {
  expect(keptWhile({ ...NONE, ...counts })).toBe(text);
});
