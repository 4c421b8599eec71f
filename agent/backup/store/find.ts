// Tells which backups are in a store, and which are not: before a person's word that they lie there is believed, and before a
// record is forgotten because its backup was removed.
import { toAegirError } from '../../../shared/error.ts';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext } from '../../engine/engine.ts';
import type { Repository } from './repository.ts';

export interface FindOrder {
  readonly service: ServiceRef;
  readonly backupIds: readonly string[];
  /** Also what lies beside each index, and its first chunk, which holds the beginning of manifest.json. */
  readonly beside: boolean;
}

/** Those that are not there. */
export async function findAbsent(
  { backupIds, beside }: Omit<FindOrder, 'service'>,
  repository: Repository,
  ctx: ActionContext,
): Promise<readonly string[]> {
  const there = new Set(await repository.backups());
  const absent: string[] = [];
  for (const [at, id] of backupIds.entries()) {
    ctx.signal.throwIfAborted();
    if (!there.has(id) || (beside && !(await hasBeside(id, repository)))) absent.push(id);
    ctx.progress((at + 1) / backupIds.length, `looked for ${at + 1} of ${backupIds.length} backups`);
  }
  return absent;
}

async function hasBeside(id: string, repository: Repository): Promise<boolean> {
  try {
    if ((await repository.summary(id)) === undefined) return false;
    for await (const [first] of (await repository.index(id)).batches) {
      return first !== undefined && (await repository.chunks.has([first.id]))[0] === true;
    }
    return false;
  } catch (thrown) {
    const { code } = toAegirError(thrown, `look for ${id}`);
    if (code !== 'data_loss' && code !== 'not_found') throw thrown;
    return false;
  }
}
