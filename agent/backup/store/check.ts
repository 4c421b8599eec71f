// Looks whether a backup is whole: its index is the one that was kept, and every chunk is there; when all is read, also
// whether each is what its digest says.
//
// A chunk whose content is wrong is worse than none: later backups would believe that they need not send it. So it is taken
// away once it was read twice and was wrong both times, by whoever is alone with the store then; the next backup that has
// the same content puts it anew, which heals this one too. What cannot be read at all is only told: a disk or a way that
// fails may work again.
import { AegirError, toAegirError } from '../../../shared/error.ts';
import type { CheckFacts } from '../../../shared/gen/aegir/v1/backup.ts';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext } from '../../engine/engine.ts';
import type { ChunkRef } from '../../mesh/objects.ts';
import { countIn, hashed } from './index-stream.ts';
import type { Repository } from './repository.ts';

export interface CheckOrder {
  readonly service: ServiceRef;
  readonly backupId: string;
  readonly digest: Uint8Array;
  readonly readAll: boolean;
}

export interface Checked {
  readonly facts: CheckFacts;
  /** Chunks that are there with a content that is not theirs. */
  readonly wrong: readonly ChunkRef[];
}

const MAX_PROBLEMS = 20;
const MAX_WRONG = 10_000;
const LOOK = 1024;
/** Chunks at a time that are read and unpacked. */
const READERS = 4;

export async function check(
  { backupId, digest, readAll }: CheckOrder,
  repository: Repository,
  ctx: ActionContext,
): Promise<Checked> {
  const problems: string[] = [];
  const tell = (text: string) => problems.length < MAX_PROBLEMS && problems.push(text);
  const wrong: ChunkRef[] = [];
  let [chunks, bytes, damaged] = [0, 0, 0];
  let absent = false;
  const facts = (): CheckFacts => ({
    ...{ chunks: BigInt(chunks), bytes: BigInt(bytes), damaged: BigInt(damaged), problems, absent },
  });

  try {
    const file = hashed(repository.indexFile(backupId));
    let size = 0;
    for await (const piece of file.pieces) size += piece.length;
    if (Buffer.compare(file.digest(), digest) === 0) await checkChunks(countIn(size));
    else tell(`the index of ${backupId} is not the one that was kept: it was cut off, altered or replaced`);
  } catch (thrown) {
    const error = toAegirError(thrown, `check ${backupId}`);
    if (error.code !== 'data_loss' && error.code !== 'not_found') throw thrown;
    absent = error.code === 'not_found';
    tell(absent ? `the index of ${backupId} is not there` : error.message);
  }
  return { facts: facts(), wrong };

  async function checkChunks(count: number): Promise<void> {
    const { batches } = await repository.index(backupId);
    for await (const refs of batches) {
      for (let at = 0; at < refs.length; at += LOOK) await checkBatch(refs.slice(at, at + LOOK), count);
    }
  }

  async function checkBatch(refs: readonly ChunkRef[], count: number): Promise<void> {
    ctx.signal.throwIfAborted();
    const there = await repository.chunks.has(refs.map(({ id }) => id));
    const present = refs.filter((_, at) => there[at] === true);
    for (const [at, { id }] of refs.entries()) {
      if (there[at] === true) continue;
      damaged += 1;
      tell(`chunk ${id} is not there`);
    }
    if (readAll) await readThrough(present);
    chunks += refs.length;
    bytes += refs.reduce((sum, { size }) => sum + size, 0);
    ctx.progress(chunks / Math.max(1, count), `${chunks} of ${count} chunks`);
  }

  /** What is there more than once, as a hole's chunks are, is read once of a batch. */
  async function readThrough(all: readonly ChunkRef[]): Promise<void> {
    const times = new Map<string, number>();
    for (const { id } of all) times.set(id, (times.get(id) ?? 0) + 1);
    const refs = [...new Map(all.map((ref) => [ref.id, ref])).values()];
    let next = 0;
    repository.chunks.soon?.(refs.map(({ id }) => id));
    const reader = async () => {
      for (let ref = refs[next]; ref !== undefined; ref = refs[next]) {
        next += 1;
        ctx.signal.throwIfAborted();
        const failure = await failureOf(ref, repository);
        if (failure === undefined) continue;
        damaged += times.get(ref.id) ?? 1;
        tell(failure.message);
        if (wrong.length < MAX_WRONG) wrong.push(ref);
      }
    };
    await Promise.all(Array.from({ length: READERS }, reader));
  }
}

/**
 * Takes away what is still wrong when it is read again, and answers how much that was. Only for who is alone with the
 * store.
 */
export async function removeWrong(
  wrong: readonly ChunkRef[],
  repository: Repository,
  ctx: ActionContext,
): Promise<number> {
  let removed = 0;
  for (const ref of wrong) {
    ctx.signal.throwIfAborted();
    const object = repository.form.chunk(ref.id);
    if ((await repository.chunks.has([ref.id]))[0] !== true) continue;
    if ((await failureOf(ref, repository)) === undefined) continue;
    await repository.removeObject(object);
    removed += 1;
  }
  if (removed > 0) await repository.flush();
  return removed;
}

/** undefined when the chunk is good. Throws what says nothing of the chunk: an error of the way to it. */
async function failureOf(ref: ChunkRef, repository: Repository): Promise<AegirError | undefined> {
  try {
    await repository.chunks.read(ref);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof AegirError && thrown.code === 'data_loss') return thrown;
    throw thrown;
  }
}
