// export_backup: sends a backup to the master, which waits for it on behalf of a person.
import { exported } from '../backup/store/export.ts';
import type { ActionHandler } from './action.ts';

export function createExportBackup(): ActionHandler<'exportBackup'> {
  return {
    kind: 'exportBackup',
    label: () => 'export-backup',
    async run(request, ctx, { stores, uplink }) {
      return stores.locks.shared(request.service.id, ctx.signal, async () => {
        const repository = await stores.open(request.service, ctx);
        try {
          await uplink.send(request.uploadId, exported(repository, request), ctx.signal);
          return { changes: [] };
        } finally {
          await repository.close();
        }
      });
    },
  };
}
