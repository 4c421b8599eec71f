// check_backup: looks whether a backup is whole in its store, and takes chunks away whose content is wrong.
import { check, removeWrong } from '../backup/store/check.ts';
import type { Repository } from '../backup/store/repository.ts';
import type { ActionHandler } from './action.ts';

const MAX_PROBLEMS = 20;

export function createCheckBackup(): ActionHandler<'checkBackup'> {
  return {
    kind: 'checkBackup',
    label: ({ readAll }) => (readAll ? 'check-backup-whole' : 'check-backup'),
    async run(request, ctx, { stores }) {
      const { locks } = stores;
      const using = async <T>(act: (repository: Repository) => Promise<T>): Promise<T> => {
        const repository = await stores.open(request.service, ctx);
        try {
          return await act(repository);
        } finally {
          await repository.close();
        }
      };
      const { facts, wrong } = await locks.shared(request.service.id, ctx.signal, () =>
        using((repository) => check(request, repository, ctx)),
      );
      if (wrong.length === 0) return { changes: [], check: facts };
      const removed = await locks.alone(request.service.id, ctx.signal, () =>
        using((repository) => removeWrong(wrong, repository, ctx)),
      );
      const told = `${removed} damaged chunks were taken away; the next backup that has the same content puts them anew`;
      const problems = [...facts.problems.slice(0, MAX_PROBLEMS - 1), told];
      return { changes: [`remove ${removed} damaged chunks`], check: { ...facts, problems } };
    },
  };
}
