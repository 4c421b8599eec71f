// prune_store: removes backups from a file service, and what only they have there.
import { prune } from '../backup/store/prune.ts';
import type { ActionHandler } from './action.ts';

export function createPruneStore(): ActionHandler<'pruneStore'> {
  return {
    kind: 'pruneStore',
    label: () => 'prune-store',
    async run(request, ctx, { stores }) {
      const { service, preview } = request;
      // A preview takes nothing away, and needs not wait until nobody else is there.
      const lock = preview ? stores.locks.shared : stores.locks.alone;
      return lock(service.id, ctx.signal, async () => {
        const repository = await stores.open(service, ctx);
        try {
          const facts = await prune(request, repository, ctx);
          const { backups, chunks } = facts;
          const changes = backups + chunks === 0n ? [] : [`remove ${backups} backups and ${chunks} chunks`];
          return { changes, prune: facts };
        } finally {
          await repository.close();
        }
      });
    },
  };
}
