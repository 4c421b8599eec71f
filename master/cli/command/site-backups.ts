// How lists and details of sites tell of their backups.

import { timeSpan } from '../../../shared/for-people.ts';
import type { Site } from '../../../shared/gen/aegir/v1/admin.ts';
import { type Column, when } from '../output.ts';

export const BACKUP_COLUMN: Column<Site> = {
  title: 'last proven restorable',
  value: ({ backups }) =>
    backups === undefined || backups.count === 0
      ? 'no backup'
      : backups.provenAt === undefined
        ? 'never'
        : when(backups.provenAt),
};

export const BACKUP_DETAILS: readonly Column<Site>[] = [
  {
    title: 'Backups',
    value: ({ backups }) =>
      backups === undefined || backups.count === 0
        ? 'none'
        : `${backups.count}, the last one of ${when(backups.lastAt)} (${backups.lastId})`,
  },
  {
    title: 'Last proven restorable',
    value: ({ backups }) =>
      backups?.provenAt === undefined
        ? backups === undefined || backups.count === 0
          ? ''
          : 'never; see: aegir backup drill'
        : `${when(backups.provenAt)} (${backups.provenId}), in ${timeSpan(backups.provenMillis)}`,
  },
  { title: 'Backup problem', value: ({ backups }) => backups?.problem ?? '' },
];
