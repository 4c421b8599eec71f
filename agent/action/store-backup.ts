// store_backup: fetches the parts of a backup and keeps it on a file service of this server.
import { storeBackup } from '../backup/store/store-backup.ts';
import type { ActionHandler } from './action.ts';

export function createStoreBackup(): ActionHandler<'storeBackup'> {
  return {
    kind: 'storeBackup',
    label: () => 'store-backup',
    async run(request, ctx, { stores, transfers, backups }) {
      return stores.locks.shared(request.service.id, ctx.signal, async () => {
        const repository = await stores.open(request.service, ctx);
        try {
          const backup = await storeBackup(request, repository, ctx, transfers, backups.workers);
          return { changes: backup.complete ? [`keep backup ${request.backupId}`] : [], backup };
        } finally {
          await repository.close();
        }
      });
    },
  };
}
