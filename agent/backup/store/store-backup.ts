// Keeps a backup: its parts are fetched into the store, chunk by chunk and only those that it lacks; the index that makes
// them one backup comes last, so that there is all of it or none.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { byteSize } from '../../../shared/byte-size.ts';
import { AegirError } from '../../../shared/error.ts';
import type { BackupFacts, PartFacts, PartSource } from '../../../shared/gen/aegir/v1/backup.ts';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext } from '../../engine/engine.ts';
import { openCaibx } from '../../mesh/caibx.ts';
import { openBytes } from '../../mesh/file-bytes.ts';
import { createFileSink } from '../../mesh/file-sink.ts';
import { grantedDigest } from '../../mesh/grant.ts';
import { letGo, memoryOf } from '../../mesh/let-go.ts';
import type { ChunkRef, TakenStore } from '../../mesh/objects.ts';
import type { Transfers } from '../../mesh/transfers.ts';
import { checkPartGrant } from '../parts.ts';
import type { Hand, Workers } from '../workers.ts';
import { hashed, writeIndex } from './index-stream.ts';
import { manifestPart } from './manifest-part.ts';
import type { Repository } from './repository.ts';

export interface StoreBackupOrder {
  readonly service: ServiceRef;
  readonly backupId: string;
  readonly manifest: Uint8Array;
  readonly takenAt: Date;
  /** At least one. */
  readonly sources: readonly (Omit<PartSource, 'grant'> & { readonly grant: NonNullable<PartSource['grant']> })[];
}

const LOOK = 4096;
const HEAD = 64;
const TALLY = 'tally.json';
/** Of backups that nobody went on with: longer than the master tries. */
const FORGET_MS = 8 * 24 * 3600 * 1000;

/** What was fetched for a backup in all attempts. */
interface Tally {
  rawBytes: number;
  storedBytes: number;
  receivedBytes: number;
}

export async function storeBackup(
  order: StoreBackupOrder,
  repository: Repository,
  ctx: ActionContext,
  transfers: Transfers,
  workers: Workers,
): Promise<BackupFacts> {
  const { backupId, sources } = order;
  const there = await kept(order, repository);
  const dir = join(ctx.host.paths.work, `store-${backupId}`);
  if (there !== undefined) {
    await requireWhole(backupId, repository, ctx);
    await rm(dir, { recursive: true, force: true });
    return there;
  }
  await sweep(ctx.host.paths.work);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const tally = await openTally(dir, repository);

  const manifest = await putManifest(order, repository);
  const hand = await workers.take();
  try {
    for (const [at, source] of sources.entries()) {
      const facts = await transfers.receive(source.grant, {
        from: source.senderName,
        signal: ctx.signal,
        into: async (grant) => {
          checkPartGrant(grant);
          return {
            ...{ form: 'chunks', sink: createFileSink(pathOf(dir, source.part)), openIndex: openCaibx },
            store: storeWith(hand, repository, tally.save),
          };
        },
        onProgress({ bytes, totalBytes, bytesPerSecond }) {
          const label = `${source.part}: ${byteSize(bytes)} of ${byteSize(totalBytes)}`;
          ctx.progress((at + bytes / Math.max(1, totalBytes)) / sources.length, label, {
            ...{ bytes: BigInt(bytes), totalBytes: BigInt(totalBytes), bytesPerSecond: BigInt(bytesPerSecond) },
          });
        },
      });
      tally.received(Number(facts.receivedBytes));
      await tally.save();
      if (!facts.complete) return { ...NOTHING, ...tally.facts() };
      ctx.failpoint('agent.store.part');
    }
  } finally {
    await hand.release();
  }
  return commit(order, manifest, repository, dir, tally.facts(), ctx);
}

/** flushed: what is to be done then. */
function storeWith(hand: Hand, { chunks }: Repository, flushed: () => Promise<void>): TakenStore {
  return {
    has: chunks.has,
    async takeIn(refs, stored) {
      const frames = await hand.call(
        'frames',
        { refs, chunks: stored },
        { give: memoryOf(stored.map(({ bytes }) => bytes)) },
      );
      for (const [at, ref] of refs.entries()) await chunks.putFrame(ref, frames[at] as Uint8Array);
      for (const frame of frames) letGo(frame);
    },
    flush: () => chunks.flush().then(flushed),
  };
}

const NOTHING: BackupFacts = {
  ...{ complete: false, digest: Buffer.alloc(0), bytes: 0n, chunks: 0n },
  ...{ newBytes: 0n, storedBytes: 0n, receivedBytes: 0n, parts: [] },
};

/** The facts of the backup when it is there as it is ordered. */
async function kept({ backupId, sources }: StoreBackupOrder, repository: Repository): Promise<BackupFacts | undefined> {
  if (!(await repository.hasIndex(backupId))) return undefined;
  const summary = await repository.summary(backupId);
  const same =
    summary?.facts.parts.length === sources.length + 1 &&
    sources.every(({ part, grant }, at) => {
      const facts = summary.facts.parts[at + 1];
      return facts?.part === part && Buffer.compare(facts.digest, grantedDigest(grant)) === 0;
    });
  return same ? summary.facts : undefined;
}

async function putManifest({ manifest, takenAt }: StoreBackupOrder, { chunks }: Repository): Promise<ChunkRef> {
  const raw = await manifestPart(manifest, takenAt);
  const id = createHash('sha256').update(raw).digest('hex');
  if ((await chunks.has([id]))[0] !== true) await chunks.put(id, raw, { compression: 'none', bytes: raw });
  return { id, size: raw.length };
}

async function commit(
  order: StoreBackupOrder,
  manifest: ChunkRef,
  repository: Repository,
  dir: string,
  fetched: Pick<BackupFacts, 'newBytes' | 'storedBytes' | 'receivedBytes'>,
  ctx: ActionContext,
): Promise<BackupFacts> {
  const indexes = order.sources.map(({ part, grant }) => ({
    part,
    path: pathOf(dir, part),
    digest: grantedDigest(grant),
  }));
  const head = await commonHead(indexes.map(({ path }) => path));
  const parts: PartFacts[] = [];
  const add = (part: string, digest: Uint8Array, chunks: number, bytes: number) =>
    parts.push({
      part,
      digest: Buffer.from(digest),
      firstChunk: placeAfter(parts),
      chunks: BigInt(chunks),
      bytes: BigInt(bytes),
    });
  const own = hashed(writeIndex(head, 1, [[manifest]]));
  for await (const _ of own.pieces);
  add('manifest', own.digest(), 1, manifest.size);
  for (const { part, path, digest } of indexes) {
    const index = await openCaibx(path);
    add(part, digest, index.count, index.bytes);
    await index.close();
  }
  const count = Number(placeAfter(parts));

  async function* all(): AsyncIterable<readonly ChunkRef[]> {
    yield [manifest];
    for (const { path } of indexes) {
      const index = await openCaibx(path);
      try {
        for (let at = 0; at < index.count; at += LOOK) yield await index.at(at, Math.min(LOOK, index.count - at));
      } finally {
        await index.close();
      }
    }
  }
  // Its digest stands in the summary, which comes before it.
  const first = hashed(writeIndex(head, count, all()));
  for await (const _ of first.pieces);
  const facts: BackupFacts = {
    ...{ complete: true, digest: first.digest(), parts, chunks: BigInt(count), ...fetched },
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0n),
  };
  const { backupId, takenAt } = order;
  await repository.putSummary({ id: backupId, takenAt, facts, manifest: Buffer.from(order.manifest).toString() });
  await repository.flush();
  ctx.failpoint('agent.store.summary');
  await repository.putIndex(backupId, writeIndex(head, count, all()));
  await repository.flush();
  ctx.failpoint('agent.store.index');
  await requireWhole(backupId, repository, ctx);
  await rm(dir, { recursive: true, force: true });
  return facts;
}

/**
 * Once more, now that its index keeps what is there: somebody who prunes the same place by another way may have taken chunks
 * away that were there, or had come. Then it is no backup, and its index goes again.
 */
async function requireWhole(backupId: string, repository: Repository, ctx: ActionContext): Promise<void> {
  let missing = 0;
  const { batches } = await repository.index(backupId);
  for await (const refs of batches) {
    ctx.signal.throwIfAborted();
    for (let at = 0; at < refs.length; at += LOOK) {
      const there = await repository.chunks.has(refs.slice(at, at + LOOK).map(({ id }) => id));
      missing += there.filter((is) => !is).length;
    }
  }
  if (missing === 0) return;
  await repository.removeIndex(backupId);
  await repository.removeSummary(backupId);
  await repository.flush();
  throw new AegirError(
    'failed_precondition',
    `cannot keep backup ${backupId}: ${missing} of its chunks were taken out of the store while it was made, as by another ` +
      'service that leads to the same place; have both say the same share, then make another one',
  );
}

function placeAfter(parts: readonly PartFacts[]): bigint {
  const last = parts.at(-1);
  return last === undefined ? 0n : last.firstChunk + last.chunks;
}

/** How chunks were cut stands in each index, and must stand in that of the whole: a part's is cut out of it again. */
async function commonHead(paths: readonly string[]): Promise<Buffer> {
  let head: Buffer | undefined;
  for (const path of paths) {
    const bytes = await openBytes(path);
    if (bytes === undefined) throw new AegirError('internal', `cannot join the parts of a backup: ${path} is gone`);
    const own = Buffer.from(await bytes.read(0, HEAD));
    await bytes.close();
    if (head !== undefined && !head.equals(own)) {
      throw new AegirError(
        'failed_precondition',
        'cannot join the parts of a backup: their senders cut chunks in other ways; bring the agents to one version',
      );
    }
    head = own;
  }
  if (head === undefined) throw new AegirError('internal', 'cannot join the parts of a backup: there are none');
  return head;
}

function pathOf(dir: string, part: string): string {
  return join(dir, `${part}.caibx`);
}

/** Counts over all attempts, so that what a crash interrupted is told whole. */
async function openTally(dir: string, repository: Repository) {
  const path = join(dir, TALLY);
  const before = await readTally(path);
  let received = before.receivedBytes;
  const now = (): Tally => {
    const { rawBytes, storedBytes } = repository.chunks.added();
    return {
      ...{ rawBytes: before.rawBytes + rawBytes, storedBytes: before.storedBytes + storedBytes },
      receivedBytes: received,
    };
  };
  return {
    received(bytes: number) {
      received += bytes;
    },
    save: () => writeFile(path, JSON.stringify(now()), { mode: 0o600 }),
    facts() {
      const { rawBytes, storedBytes, receivedBytes } = now();
      return { newBytes: BigInt(rawBytes), storedBytes: BigInt(storedBytes), receivedBytes: BigInt(receivedBytes) };
    },
  };
}

async function readTally(path: string): Promise<Tally> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Tally;
  } catch {
    // None yet, or a crash left half of it: it only counts.
    return { rawBytes: 0, storedBytes: 0, receivedBytes: 0 };
  }
}

async function sweep(work: string): Promise<void> {
  for (const name of await readdir(work)) {
    if (!/^store-bak-[a-z0-9]{16}$/.test(name)) continue;
    const path = join(work, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts !== undefined && Date.now() - facts.mtimeMs > FORGET_MS) await rm(path, { recursive: true, force: true });
  }
}
