// Removes backups, and then every chunk that no backup which remains names: mark and sweep. Whoever calls it is alone with
// the store, so that no backup is being made whose index is not there yet. Where that is not so after all, as two services lead
// to one place that nobody calls one: what comes meanwhile is marked before each removal, and who makes a backup looks
// once more whether all of it is there when its index is.
import { AegirError, toAegirError } from '../../../shared/error.ts';
import type { PruneFacts } from '../../../shared/gen/aegir/v1/backup.ts';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext } from '../../engine/engine.ts';
import { createFingerprints, type Fingerprints } from './fingerprints.ts';
import type { Repository } from './repository.ts';

export interface PruneOrder {
  readonly service: ServiceRef;
  readonly backupIds: readonly string[];
  readonly preview: boolean;
}

/** What is taken away at once. */
const BATCH = 1000;

export async function prune(
  { backupIds, preview }: Omit<PruneOrder, 'service'>,
  repository: Repository,
  ctx: ActionContext,
): Promise<PruneFacts> {
  const there = [...(await repository.backups())];
  const going = there.filter((id) => backupIds.includes(id));
  const staying = there.filter((id) => !backupIds.includes(id));
  // Before anything goes: with one index that cannot be read nobody knows what is needed.
  const marked = await mark(staying, repository, ctx);
  if (!preview) {
    for (const id of going) await repository.removeIndex(id);
    if (going.length > 0) await repository.flush();
    ctx.failpoint('agent.prune.indexes');
    // Also of those whose index is gone: a crash may have left their summaries.
    for (const id of backupIds) await repository.removeSummary(id);
    if (backupIds.length > 0) await repository.flush();
  }
  const newcomers = async () => {
    const fresh = (await repository.backups()).filter((id) => !there.includes(id));
    there.push(...fresh);
    if (fresh.length > 0) await mark(fresh, repository, ctx, marked);
  };
  const swept = await sweep(marked, repository, preview, ctx, newcomers);
  return { ...swept, backups: BigInt(going.length), keptBackups: BigInt(staying.length) };
}

/** also: what was marked before, when something may have gone already. */
async function mark(
  backups: readonly string[],
  repository: Repository,
  ctx: ActionContext,
  also?: Fingerprints,
): Promise<Fingerprints> {
  const marked = also ?? createFingerprints();
  for (const [at, id] of backups.entries()) {
    ctx.signal.throwIfAborted();
    ctx.progress((at / backups.length) * 0.5, `read ${at + 1} of ${backups.length} backups`);
    try {
      const { batches } = await repository.index(id);
      for await (const refs of batches) for (const ref of refs) marked.add(digestIn(repository.form.chunk(ref.id)));
    } catch (thrown) {
      const { code, message, retryable } = toAegirError(thrown, `read the index of ${id}`);
      if (code !== 'data_loss') throw thrown;
      throw new AegirError(
        code,
        `cannot prune the store: nobody knows which chunks ${id} needs: ${message}; delete that backup first`,
        { cause: thrown, retryable, untouched: also === undefined },
      );
    }
  }
  return marked;
}

async function sweep(
  marked: Fingerprints,
  repository: Repository,
  preview: boolean,
  ctx: ActionContext,
  newcomers: () => Promise<void>,
): Promise<Pick<PruneFacts, 'chunks' | 'bytes' | 'keptChunks'>> {
  let [chunks, bytes, kept] = [0, 0, 0];
  let batch: { readonly object: string; readonly bytes: number }[] = [];
  const take = async () => {
    if (batch.length > 0) await newcomers();
    for (const chunk of batch) {
      if (marked.has(digestIn(chunk.object))) {
        kept += 1;
        chunks -= 1;
        bytes -= chunk.bytes;
      } else await repository.removeObject(chunk.object);
    }
    if (batch.length > 0) await repository.flush();
    batch = [];
    ctx.failpoint('agent.prune.chunks');
  };
  for await (const chunk of repository.listChunks()) {
    if (marked.has(digestIn(chunk.object))) {
      kept += 1;
      continue;
    }
    ctx.signal.throwIfAborted();
    chunks += 1;
    bytes += chunk.bytes;
    if (preview) continue;
    batch.push(chunk);
    if (batch.length < BATCH) continue;
    await take();
    ctx.progress(0.5, `removed ${chunks} chunks`);
  }
  await take();
  return { chunks: BigInt(chunks), bytes: BigInt(bytes), keptChunks: BigInt(kept) };
}

/** An object that keeps a chunk is named by hexadecimal digits of a hash. */
function digestIn(object: string): string {
  return object.slice(object.lastIndexOf('/') + 1);
}
