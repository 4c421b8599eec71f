// find_backups: tells which backups are in a file service, which need not be in use.
import { findAbsent } from '../backup/store/find.ts';
import type { ActionHandler } from './action.ts';

export function createFindBackups(): ActionHandler<'findBackups'> {
  return {
    kind: 'findBackups',
    label: () => 'find-backups',
    async run(request, ctx, { stores }) {
      return stores.locks.shared(request.service.id, ctx.signal, async () => {
        const repository = await stores.open(request.service, ctx, 'read');
        try {
          return { changes: [], absent: { backupIds: [...(await findAbsent(request, repository, ctx))] } };
        } finally {
          await repository.close();
        }
      });
    },
  };
}
