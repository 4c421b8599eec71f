// What a worker does for the agent, by name: it waits for disks and computes, so that the agent itself never does. One
// piece of work has a worker for itself; what it opened goes with reset.
import { hash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import { letGo } from '../mesh/let-go.ts';
import type { ChunkRef, StoredChunk } from '../mesh/objects.ts';
import { verifiedChunk } from '../mesh/verified-chunk.ts';
import type { Companion } from './companion.ts';
import { openLibc } from './libc.ts';
import { type FilesSeen, type LookOrder, lookFiles } from './look-files.ts';
import { framed, openPack, type Pack, packedChunk } from './pack.ts';
import { openPartBytes, type PartBytes } from './part-bytes.ts';
import { checkPart, type PartContent } from './part-entries.ts';
import { type PutBack, type PutBackOrder, putBack } from './put-back.ts';
import { readAlong } from './read-along.ts';
import { checkDump, readDump } from './read-dump.ts';
import { countRoom } from './room.ts';
import { openSnapshotBytes, type SnapshotBytes } from './snapshot-bytes.ts';
import { type TakingDump, takeDump } from './take-dump.ts';
import {
  type LookedThrough,
  type Saying,
  type TakeFilesOrder,
  type TakenFiles,
  type TreeRoot,
  takeFiles,
} from './take-files.ts';
import { END_BYTES } from './tar-header.ts';
import type { Owners } from './tree.ts';

export interface StageOrder {
  /** Keeps what came: pack, and live for what the site has now. */
  readonly dir: string;
  /** The site's trees as they are; undefined when they are of no use. */
  readonly live: StagedTrees | undefined;
  /** Those that it had here before it moved away; undefined for none. */
  readonly former: StagedTrees | undefined;
}

/** Chunks of one message. */
export interface Came {
  readonly refs: readonly ChunkRef[];
  readonly chunks: readonly StoredChunk[];
}

type StagedTrees = Omit<TakeFilesOrder, 'dir' | 'last' | 'at' | 'copyBytes' | 'passing'>;

/** Each takes one order, which is cloned on its way, and so is its answer. */
export interface Duties {
  takeFiles(order: TakeFilesOrder, saying: Saying): TakenFiles;
  /** Reads segments for takeFiles of another thread, until that is over. */
  readAlong(order: { readonly companion: Companion; readonly owners: Owners }, saying: Saying): void;
  lookFiles(order: LookOrder, saying: Saying): FilesSeen;
  /** roots undefined: of a dump. */
  openSnapshot(order: { readonly dir: string; readonly roots: readonly string[] | undefined }): void;
  /** id: 64 hexadecimal digits. plain: what is packed by nobody yet stays so. */
  chunk(order: { readonly id: string; readonly plain: boolean }): StoredChunk;
  beginDump(order: { readonly dir: string; readonly mtimeNs: bigint }): void;
  dumpPiece(bytes: Uint8Array): void;
  endDump(order: undefined): TakenFiles;
  openStage(order: StageOrder, saying: Saying): void;
  useIndex(path: string): void;
  has(ids: readonly string[]): boolean[];
  /** Chunks as they came: verified, then kept. */
  takeIn(came: Came): void;
  /** The same, verified, as zstd frames. */
  frames(came: Came): Uint8Array[];
  /** What the trees are already, as it is; undefined when something is to be done. */
  sameFiles(order: undefined): PartContent | undefined;
  /** Whether it may be restored, and has room. */
  checkFiles(trees: readonly TreeRoot[], saying: Saying): PartContent;
  putBack(order: PutBackOrder, saying: Saying): PutBack;
  /** Answers the size of the dump. */
  checkDump(order: undefined): number;
  /** At most 1 MiB of it from an offset on. */
  readDump(offset: number): Uint8Array;
  reset(order: undefined): void;
}

const END = Buffer.alloc(END_BYTES);

export function createDuties(now: () => number): Duties {
  let snapshot: SnapshotBytes | undefined;
  let former: SnapshotBytes | undefined;
  let pack: Pack | undefined;
  let dump: TakingDump | undefined;
  let part: PartBytes | undefined;
  let looked: LookedThrough | undefined;
  let dumpSize = 0;
  let contentAt = 0;

  const opened = <T>(it: T | undefined): T => {
    if (it === undefined) throw new AegirError('internal', 'cannot go on with a part: it is not open');
    return it;
  };
  return {
    takeFiles: (order, saying) => takeFiles(order, saying, now),
    readAlong: ({ companion, owners }, saying) => readAlong(companion, owners, saying),
    lookFiles,
    openSnapshot({ dir, roots }) {
      if (roots === undefined) pack = openPack(join(dir, 'pack'), { compress: true, verify: false });
      else snapshot = openSnapshotBytes(dir, roots);
    },
    chunk({ id, plain }) {
      const bytes = Buffer.from(id, 'hex');
      if (snapshot === undefined) return opened(pack).get(bytes);
      const place = snapshot.placeOf(bytes);
      if (place === undefined) throw new AegirError('data_loss', `cannot read chunk ${id}: the snapshot has none`);
      const chunk = snapshot.chunkAt(place);
      return plain ? { compression: 'none', bytes: chunk } : packedChunk(chunk);
    },
    beginDump({ dir, mtimeNs }) {
      dump = takeDump(dir, mtimeNs);
    },
    dumpPiece: (bytes) => opened(dump).piece(bytes),
    endDump: () => opened(dump).finish(),
    openStage(order, saying) {
      const { dir } = order;
      const look = (trees: StagedTrees, name: string) => {
        const at = join(dir, name);
        rmSync(at, { recursive: true, force: true });
        mkdirSync(at, { recursive: true, mode: 0o700 });
        const order = { ...trees, dir: at, last: false, at: now(), copyBytes: 0, passing: true as const };
        looked = takeFiles(order, { ...saying, warn: () => {} }, now);
        return openSnapshotBytes(
          at,
          trees.trees.map(({ path }) => path),
        );
      };
      if (order.former !== undefined) former = look(order.former, 'was');
      looked = undefined;
      if (order.live !== undefined) snapshot = look(order.live, 'live');
      pack = openPack(join(dir, 'pack'), { compress: false, verify: true });
      // The end of an archive is the same for all: no need to ask for it.
      pack.put(hash('sha256', END, 'buffer'), END);
    },
    useIndex(path) {
      part = openPartBytes(path, opened(pack), snapshot, former);
    },
    has: (ids) => opened(part).has(ids),
    takeIn({ refs, chunks }) {
      for (const [at, ref] of refs.entries()) {
        const chunk = chunks[at] as StoredChunk;
        const raw = verifiedChunk(ref, chunk);
        opened(pack).put(Buffer.from(ref.id, 'hex'), raw);
        if (chunk.compression !== 'none') letGo(raw);
      }
      for (const { bytes } of chunks) letGo(bytes);
    },
    frames: ({ refs, chunks }) =>
      refs.map((ref, at) => {
        const chunk = chunks[at] as StoredChunk;
        const raw = verifiedChunk(ref, chunk);
        if (chunk.compression === 'none') return framed(raw);
        letGo(raw);
        return chunk.bytes;
      }),
    sameFiles() {
      if (snapshot === undefined || looked?.exact !== true || !opened(part).isWhole(snapshot.index)) return undefined;
      return { entries: looked.files };
    },
    checkFiles(trees, saying) {
      const room = countRoom(opened(part), opened(snapshot), trees);
      const names = trees.map(({ tree }) => tree);
      const content = checkPart(opened(part), names, saying.check, room.add);
      room.check();
      return content;
    },
    putBack: (order, saying) => putBack(opened(part), order, openLibc(), saying),
    checkDump() {
      const checked = checkDump(opened(part));
      dumpSize = checked.size;
      contentAt = checked.contentAt;
      return dumpSize;
    },
    readDump: (offset) => readDump(opened(part), contentAt, dumpSize, offset),
    reset() {
      snapshot?.close();
      former?.close();
      pack?.close();
      dump?.close();
      snapshot = undefined;
      looked = undefined;
      former = undefined;
      pack = undefined;
      dump = undefined;
      part = undefined;
    },
  };
}
