// A host on which no site has cron, for tests of other things.
import type { CronDesk } from '../cron/cron.ts';
import type { Reports } from '../reports.ts';

export const noCron: CronDesk = {
  get: () => undefined,
  active: () => [],
  plan: () => {},
  pause: async () => {},
  remove: async () => {},
  runNow: async () => {
    throw new Error('no cron runs here');
  },
};

export const noReports: Reports = { open: () => {}, close: () => {}, taken: () => {}, poke: () => {} };
