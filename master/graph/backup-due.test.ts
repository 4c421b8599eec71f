import { describe, expect, test } from 'vitest';
import { backupDueAt, drillDueAt, NO_FAILURES } from './backup-due.ts';

const HOUR = 3_600_000;
const site = { id: 'site-0123456789abcde1', state: 'enabled' as const, createdAt: 5 };
const hourly = { everySeconds: 3600 };

describe('a backup is due', () => {
  test('at once when there is none, and after its time when there is one, each site somewhat later than another', () => {
    expect(backupDueAt(site, undefined, hourly, NO_FAILURES)).toBe(5);
    const turns = Array.from({ length: 50 }, (_, n) => {
      const at = backupDueAt({ ...site, id: `site-${n}` }, { takenAt: HOUR }, hourly, NO_FAILURES) ?? 0;
      expect(at).toBeGreaterThanOrEqual(2 * HOUR);
      expect(at).toBeLessThanOrEqual(2.1 * HOUR);
      return at;
    });
    expect(new Set(turns).size).toBeGreaterThan(40);
    // The same for one site each time it is asked.
    expect(backupDueAt(site, { takenAt: 0 }, hourly, NO_FAILURES)).toBe(
      backupDueAt(site, { takenAt: 0 }, hourly, NO_FAILURES),
    );
  });

  test('never by a policy of none, or for a site that is not there whole', () => {
    expect(backupDueAt(site, undefined, { everySeconds: 0 }, NO_FAILURES)).toBeNull();
    for (const state of ['installing', 'deleting', 'failed'] as const)
      expect(backupDueAt({ ...site, state }, undefined, hourly, NO_FAILURES)).toBeNull();
  });

  test('after a failure later and later, half a day at most', () => {
    const after = (count: number) =>
      (backupDueAt(site, { takenAt: 0 }, hourly, { count, lastAt: 10 * HOUR }) ?? 0) / HOUR - 10;
    expect([1, 2, 3, 7, 40].map(after)).toEqual([0.25, 0.5, 1, 12, 12]);
  });
});

test('a drill is due once there is something to try, and in its turn', () => {
  const daily = { drillEverySeconds: 86_400 };
  expect(drillDueAt('a', undefined, null, daily, NO_FAILURES)).toBeNull();
  expect(drillDueAt('a', { takenAt: 7 }, null, { drillEverySeconds: 0 }, NO_FAILURES)).toBeNull();
  expect(drillDueAt('a', { takenAt: 7 }, null, daily, NO_FAILURES)).toBe(7);
  const next = drillDueAt('a', { takenAt: 7 }, HOUR, daily, NO_FAILURES) ?? 0;
  expect(next).toBeGreaterThanOrEqual(25 * HOUR);
  expect(next).toBeLessThanOrEqual(27.4 * HOUR);
});
