// The backups of an agent in tests that take none.
import type { Backups } from '../backup/backups.ts';

const none = () => Promise.reject(new Error('there are no backups in this test'));

export const noBackups: Backups = {
  snapshots: {
    takeFiles: none,
    look: none,
    takeDump: none,
    packOf: () => '',
    drop: none,
    source: { prefix: 'snapshot/', give: none },
    sweep: none,
  },
  former: { keepTrees: none, keepDump: none, trees: none },
  restores: { files: none, dump: none, sweep: none },
  workers: { take: none, close: async () => {} },
  start: () => {},
  close: async () => {},
};
