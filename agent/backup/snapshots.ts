// Snapshots of parts that others may fetch: each a directory of this host that outlives the agent, until it is dropped or
// was of no use for a week.
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import type { FilesLook, SnapshotFacts } from '../../shared/gen/aegir/v1/backup.ts';
import { openCaibx } from '../mesh/caibx.ts';
import { openBytes } from '../mesh/file-bytes.ts';
import type { GivenChunks } from '../mesh/objects.ts';
import { byTwo } from './by-two.ts';
import type { PartSources } from './parts.ts';
import type { SitePlace } from './site-owners.ts';
import type { TakenFiles } from './take-files.ts';
import type { CallOptions, Hand, Workers } from './workers.ts';

export interface Snapshots {
  /** A snapshot that is there already is answered as it is. last: the end of the archive follows. */
  takeFiles(id: string, place: SitePlace, last: boolean, options: CallOptions): Promise<SnapshotFacts>;
  /** Keeps nothing; a walk, as long as there are files. */
  look(place: SitePlace, options: CallOptions): Promise<FilesLook>;
  /** facts is asked when the dump has ended. */
  takeDump(
    id: string,
    dump: AsyncIterable<Uint8Array>,
    facts: () => Promise<DumpedFacts>,
    options: CallOptions,
  ): Promise<SnapshotFacts>;
  /** Path of the chunks that it has itself; of a dump all of them. */
  packOf(id: string): string;
  /** No error when there is none. */
  drop(id: string): Promise<void>;
  readonly source: PartSources;
  /** Removes what was of no use for a week, and what was never finished. */
  sweep(): Promise<void>;
}

export interface DumpedFacts {
  /** See SnapshotFacts: tables, or transactions. */
  readonly entries: number;
  readonly position: string;
}

export interface SnapshotsOptions {
  /** Each snapshot has a directory in it. */
  readonly dir: string;
  readonly workers: Workers;
  readonly now: () => number;
}

/** What is written last of a snapshot: without it there is none. */
interface Kept {
  readonly digest: string;
  readonly bytes: number;
  readonly chunks: number;
  readonly readBytes: number;
  readonly entries: number;
  readonly takenAt: number;
  /** Directories of its trees; none of a dump. */
  readonly roots?: readonly string[];
  readonly position?: string;
}

const FACTS = 'facts.json';
const KEEP_MS = 7 * 24 * 3600 * 1000;
/** Bytes of files that change all the time, which a snapshot copies. */
const COPY_BYTES = 1024 ** 3;
const PIECE_BYTES = 1024 * 1024;
/** Pieces of a dump on their way to the worker. */
const PIECES = 4;

export function isSnapshotId(text: string): boolean {
  return /^snap-[0-9a-z]{16}$/.test(text);
}

export function createSnapshots({ dir, workers, now }: SnapshotsOptions): Snapshots {
  const making = new Set<string>();

  const lookUp = async (id: string): Promise<Kept | undefined> => {
    try {
      return JSON.parse(await readFile(join(dir, id, FACTS), 'utf8')) as Kept;
    } catch (thrown) {
      // A crash may leave it empty; then it was never answered.
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT' || thrown instanceof SyntaxError) return undefined;
      throw thrown;
    }
  };
  const make = async (
    id: string,
    work: (hand: Hand, dir: string) => Promise<Pick<Kept, 'roots' | 'entries' | 'position'> & TakenFiles>,
  ): Promise<SnapshotFacts> => {
    const there = await lookUp(id);
    if (there !== undefined) return factsOf(there);
    if (making.has(id)) throw new AegirError('aborted', `cannot take snapshot ${id}: it is being taken`);
    making.add(id);
    const at = join(dir, id);
    const takenAt = now();
    const hand = await workers.take();
    try {
      await rm(at, { recursive: true, force: true });
      await mkdir(at, { recursive: true, mode: 0o700 });
      const { digest, ...taken } = await work(hand, at);
      const kept: Kept = { ...taken, digest: Buffer.from(digest).toString('hex'), takenAt };
      await writeFile(join(at, `${FACTS}.new`), JSON.stringify(kept), { mode: 0o600, flush: true });
      await rename(join(at, `${FACTS}.new`), join(at, FACTS));
      return factsOf(kept);
    } catch (thrown) {
      await hand.release();
      await rm(at, { recursive: true, force: true });
      throw thrown;
    } finally {
      await hand.release();
      making.delete(id);
    }
  };

  return {
    takeFiles: (id, { trees, owners, cacheDir }, last, options) =>
      make(id, async (hand, dir) => {
        const order = { dir, trees, owners, cacheDir, last, at: now(), copyBytes: COPY_BYTES };
        const taken = await byTwo(workers, owners, options.signal, (companion, two) =>
          hand.call('takeFiles', { ...order, companion }, { ...options, ...two }),
        );
        return { ...taken, roots: trees.map(({ path }) => path) };
      }),

    async look({ trees, owners }, options) {
      const hand = await workers.take();
      try {
        const { digest, entries } = await hand.call('lookFiles', { trees, owners }, options);
        return { digest, entries: BigInt(entries) };
      } finally {
        await hand.release();
      }
    },

    takeDump: (id, dump, facts, options) =>
      make(id, async (hand, at) => {
        // Whole seconds: it is the header's time.
        const mtimeNs = BigInt(Math.floor(now() / 1000)) * 1_000_000_000n;
        await hand.call('beginDump', { dir: at, mtimeNs }, options);
        let bytes = 0;
        const underWay: Promise<void>[] = [];
        for await (const piece of dump) {
          options.signal?.throwIfAborted();
          for (let from = 0; from < piece.length; from += PIECE_BYTES) {
            if (underWay.length >= PIECES) await underWay.shift();
            const part = piece.slice(from, from + PIECE_BYTES);
            const sent = hand.call('dumpPiece', part, options);
            sent.catch(() => {}); // awaited in its turn
            underWay.push(sent);
          }
          bytes += piece.length;
          options.onProgress?.(bytes);
        }
        await Promise.all(underWay);
        const taken = await hand.call('endDump', undefined, options);
        const { entries, position } = await facts();
        return { ...taken, entries, position };
      }),

    packOf: (id) => join(dir, id, 'pack'),

    drop: async (id) => {
      if (isSnapshotId(id)) await rm(join(dir, id), { recursive: true, force: true });
    },

    source: {
      prefix: 'snapshot/',
      async give(id, { senderId, receiverId }) {
        if (!isSnapshotId(id)) return undefined;
        const kept = await lookUp(id);
        if (kept === undefined) return undefined;
        const at = join(dir, id);
        await utimes(join(at, FACTS), now() / 1000, now() / 1000);
        // Within a server it would be packed to be unpacked at once.
        return openGiven(at, kept, workers, senderId === receiverId);
      },
    },

    async sweep() {
      for (const id of await namesIn(dir)) {
        if (making.has(id)) continue;
        const used = await stat(join(dir, id, FACTS)).catch(() => undefined);
        if (used !== undefined && now() - used.mtimeMs < KEEP_MS) continue;
        await rm(join(dir, id), { recursive: true, force: true });
      }
    },
  };
}

async function openGiven(at: string, kept: Kept, workers: Workers, plain: boolean): Promise<GivenChunks | undefined> {
  const path = join(at, 'index.caibx');
  const bytes = await openBytes(path);
  if (bytes === undefined) return undefined;
  const opened: (() => Promise<void>)[] = [() => bytes.close()];
  const close = async () => void (await Promise.all(opened.splice(0).map((each) => each())));
  try {
    const index = await openCaibx(path);
    opened.push(() => index.close());
    const hand = await workers.take();
    opened.push(() => hand.release());
    await hand.call('openSnapshot', { dir: at, roots: kept.roots });
    return {
      form: 'chunks',
      bytes,
      index,
      store: { get: async (id) => ({ ...(await hand.call('chunk', { id, plain })), own: true }) },
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

function factsOf({ digest, bytes, chunks, readBytes, entries, takenAt, position = '' }: Kept): SnapshotFacts {
  return {
    digest: Buffer.from(digest, 'hex'),
    bytes: BigInt(bytes),
    chunks: BigInt(chunks),
    readBytes: BigInt(readBytes),
    entries: BigInt(entries),
    takenAt: new Date(takenAt),
    position,
  };
}

export async function namesIn(dir: string): Promise<readonly string[]> {
  return readdir(dir).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return [];
    throw thrown;
  });
}
