// Takes a snapshot of a site's files: walks its trees, knows segments again by what was found of their entries, reads the
// others and cuts them into chunks, by itself or with a companion: the snapshot is the same. Keeps the index and where each
// chunk lies, not the chunks: whoever wants one reads it from the files again. For workers alone.
import { hash } from 'node:crypto';
import { closeSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import { createIndexWriter } from './caibx-file.ts';
import { zeroChunk } from './chunker.ts';
import { cleanSince } from './clean-since.ts';
import type { Companion } from './companion.ts';
import { type ByteName, readable, TEMPORARY, type Tree } from './entry.ts';
import { decodeFound, encodeFound, type FoundEntry } from './found-entry.ts';
import { createGrouping } from './grouping.ts';
import { MOST_HOLES, tooHollow, zeroId } from './hollow.ts';
import { openLibc } from './libc.ts';
import { openPack } from './pack.ts';
import { createReadAlong } from './read-along.ts';
import { createSegmentReader } from './read-segment.ts';
import { createSight, IS_DIRECTORY, IS_STRANGE, linesOf, type Seen } from './seen.ts';
import { openSegmentCache, type Ref, type SegmentCache, segmentKey } from './segment-cache.ts';
import { createSegmentTable } from './segment-table.ts';
import { END_BYTES } from './tar-header.ts';
import { createOpener, type Opener, type Owners, openTree } from './tree.ts';
import { walk } from './walk.ts';

export interface TreeRoot {
  readonly tree: Tree;
  readonly path: string;
}

export interface TakeFilesOrder {
  /** An empty directory, which gets index.caibx, segments, entries and pack. */
  readonly dir: string;
  readonly trees: readonly TreeRoot[];
  readonly owners: Owners;
  /** Directory of what is known of the site's segments, a file for each tree. */
  readonly cacheDir: string;
  /** The end of the archive follows. */
  readonly last: boolean;
  /** When it is asked for, ms since 1970: what changed just before is copied, as far as copyBytes allows. */
  readonly at: number;
  /** Bytes of chunks that may be copied, since their files change all the time and could not be read again. */
  readonly copyBytes: number;
  /** Of no use after a power cut: nothing has to wait for the disk. */
  readonly passing?: true;
  /** Of another thread, which reads some of the segments; for once. */
  readonly companion?: Companion;
}

export interface TakenFiles {
  /** Of the index. */
  readonly digest: Buffer;
  readonly bytes: number;
  readonly chunks: number;
  readonly readBytes: number;
  readonly entries: number;
}

export interface LookedThrough extends TakenFiles {
  /** Files and links. */
  readonly files: number;
  /** The trees are what the snapshot says and nothing else: put back, it would change nothing. */
  readonly exact: boolean;
}

export interface Saying {
  /** Throws when it is cancelled. */
  check(): void;
  progress(bytes: number): void;
  warn(text: string): void;
  /** There is work for a companion. */
  wanted?(): void;
}

/** A file that changes while it is read is read again so often, and then as it is. */
const ATTEMPTS = 3;
/** Changed so lately, it may well change again before somebody asks for its chunks. */
const QUIET_US = 10_000_000;
const US_OF_MS = 1000;
const NS_OF_US = 1000n;
/** Fewer bytes to read are not worth a second thread; nor is one file, however large: of each segment so many count. */
const WORTH_BYTES = 8 * 1024 * 1024;
const ONE_BYTES = 1024 * 1024;
/** Nor are fewer entries to look at. */
const WORTH_ENTRIES = 2000;
/** Segments whose turn has not come. */
const MOST_WAITING = 64;

/** Entries that are a segment; times in microseconds. */
interface Segment {
  readonly lines: Buffer[];
  count: number;
  bytes: number;
  newest: number;
}

interface Waiting {
  isReady(): boolean;
  act(): void;
}

export function takeFiles(order: TakeFilesOrder, told: Saying, now: () => number): LookedThrough {
  const index = createIndexWriter(join(order.dir, 'index.caibx'));
  const table = createSegmentTable(order.dir);
  const pack = openPack(join(order.dir, 'pack'), { compress: true, verify: false });
  const start = order.at * US_OF_MS;
  let [entries, alongBytes, files] = [0, 0, 0];
  let exact = true;
  const inexact = () => {
    exact = false;
  };
  const saying: Saying = {
    ...told,
    warn(text) {
      inexact();
      told.warn(text);
    },
  };
  let copying = false;
  const libc = openLibc();
  const reader = createSegmentReader(
    { owners: order.owners, libc, passing: order.passing === true },
    { ...saying, progress: (at) => saying.progress(index.bytes() + at) },
    (id, chunk) => {
      if (copying) pack.put(id, chunk);
    },
  );
  const along = order.companion === undefined ? undefined : createReadAlong(order.companion);
  const sight = createSight(order.owners);
  /** In the order of the archive, until the first of them was read. */
  const waiting: Waiting[] = [];
  let [unknownBytes, holes] = [0, 0];
  let wanted = false;

  const add = (tree: number, lines: Buffer, chunks: readonly Ref[]) => {
    const [offset, firstPlace] = [index.bytes(), index.count()];
    for (const { id, size } of chunks) {
      index.add(id, size);
      if (size === zeroChunk().length && zeroId().equals(id)) holes += size;
    }
    if (holes > MOST_HOLES && order.passing !== true) throw tooHollow(...largestOf(lines));
    table.add({ offset, length: index.bytes() - offset, firstPlace, count: chunks.length, tree }, lines);
  };

  interface Place {
    readonly tree: number;
    readonly root: number;
    readonly opener: Opener;
    readonly cache: SegmentCache;
    /** What changed later may change again without a trace, and is read each time. Microseconds. */
    readonly clean: number;
  }
  /** Reads a segment here and now. Answers what is to be done in its turn. */
  const readHere = (bytes: number, lines: Buffer, key: Buffer, { tree, opener, cache, clean }: Place) => {
    const found = decodeFound(lines);
    for (let attempt = 1; ; attempt++) {
      const read = reader.read(found, opener, attempt === ATTEMPTS);
      if (read === undefined) {
        // It changes right now: whoever asks for its chunks later would not find them.
        copying = bytes + pack.added() <= order.copyBytes;
        continue;
      }
      const { refs } = read;
      if (read.entries.length === 0) return inexact;
      const same = read.entries.every((each, i) => each === found[i]) && read.entries.length === found.length;
      if (!same) inexact();
      const readLines = same ? lines : encodeFound(read.entries);
      return () => {
        entries += read.entries.length;
        add(tree, readLines, refs);
        if (newestChange(read.entries) < clean) cache.keep(same ? key : segmentKey(readLines), refs);
      };
    }
  };
  /** Those that were dealt out are answered in their turn, and what follows waits for them: as long as there is room. */
  const settle = (most: number) => {
    while (waiting.length > 0 && (waiting.length > most || waiting[0]?.isReady() === true)) waiting.shift()?.act();
  };
  const inTurn = (act: () => void, isReady = () => true) => {
    waiting.push({ isReady, act });
    settle(MOST_WAITING);
  };
  const want = () => {
    if (along !== undefined && !wanted) saying.wanted?.();
    wanted = true;
  };
  const takeSegment = (segment: Segment, place: Place) => {
    const { count, bytes, newest } = segment;
    if (count === 0) return;
    const { tree, root, cache, clean } = place;
    copying = newest > start - QUIET_US && bytes + pack.added() <= order.copyBytes;
    const lines = segment.lines.length === 1 ? (segment.lines[0] as Buffer) : Buffer.concat(segment.lines);
    const key = segmentKey(lines);
    const known = copying ? undefined : cache.get(key);
    const keep = (refs: readonly Ref[], sure: boolean) => {
      entries += count;
      add(tree, lines, refs);
      if (sure) cache.keep(key, refs);
    };
    if (known !== undefined) return inTurn(() => keep(known, true));
    const isMuch = unknownBytes > WORTH_BYTES;
    unknownBytes += Math.min(bytes, ONE_BYTES);
    if (isMuch) want();
    if (copying || !isMuch || along?.isFree() !== true) return inTurn(readHere(bytes, lines, key, place));
    const reading = along.give(root, tree, lines);
    inTurn(() => {
      const answer = reading.answer((at) => {
        saying.check();
        saying.progress(index.bytes() + at);
      });
      copying = false;
      if (answer === undefined) return readHere(bytes, lines, key, place)();
      alongBytes += answer.bytes;
      keep(answer.refs, newest < clean);
    }, reading.isAnswered);
  };
  const takeTree = (name: Tree, place: Place) => {
    const begins = createGrouping();
    let segment = emptySegment();
    let looked = 0;
    const take = ({ sizes, changes, flags }: Seen, each: number) => {
      segment.count += 1;
      segment.bytes += sizes[each] as number;
      segment.newest = Math.max(segment.newest, changes[each] as number);
      const flag = flags[each] as number;
      if ((flag & IS_DIRECTORY) === 0) files += 1;
      // The site gets them when they are put back.
      if ((flag & IS_STRANGE) !== 0) inexact();
    };
    const { warn } = saying;
    const leftover = (path: string) => {
      inexact();
      warn(
        `${readable(path)} has names that begin with ${TEMPORARY}: they are Aegir's own, what they name is not kept`,
      );
    };
    for (const { seen, from, to } of walk(place.root, name, { sight, ahead: along?.look, warn, leftover })) {
      saying.check();
      let begin = from;
      for (let each = from; each < to; each++) {
        if (begins(seen.hashes[each] as number, seen.sizes[each] as number)) {
          if (each > begin) segment.lines.push(linesOf(seen, begin, each));
          takeSegment(segment, place);
          saying.progress(index.bytes());
          segment = emptySegment();
          begin = each;
        }
        take(seen, each);
      }
      segment.lines.push(linesOf(seen, begin, to));
      looked += to - from;
      if (looked > WORTH_ENTRIES) want();
    }
    takeSegment(segment, place);
    settle(0);
  };

  try {
    for (const [at, { tree, path }] of order.trees.entries()) {
      if (!existsSync(path)) {
        saying.warn(`${tree} is not there: ${path}; it is not kept`);
        continue;
      }
      const cache = openSegmentCache(join(order.cacheDir, tree));
      const root = openTree(path);
      const opener = createOpener(root);
      try {
        const noted = join(order.cacheDir, `${tree}.clean`);
        // Before the first byte is read. Visitors may wait for one that passes: it takes what is known.
        const clean = Number(cleanSince(noted, root, now, order.passing !== true, () => libc) / NS_OF_US);
        const place = { tree: at, root, opener, cache, clean };
        takeTree(tree, place);
      } finally {
        waiting.length = 0;
        along?.drain();
        opener.close();
        closeSync(root);
      }
      cache.save();
    }
    if (order.last) {
      const end = Buffer.alloc(END_BYTES);
      add(-1, Buffer.alloc(0), [{ id: hash('sha256', end, 'buffer'), size: END_BYTES }]);
    }
    if (index.count() === 0) {
      throw new AegirError(
        'failed_precondition',
        'cannot take a snapshot: none of the trees is there; verify the site',
      );
    }
    table.finish();
    if (pack.added() > 0) pack.sync();
    const [bytes, chunks, readBytes] = [index.bytes(), index.count(), reader.readBytes() + alongBytes];
    return { digest: index.finish(order.passing !== true), bytes, chunks, readBytes, entries, files, exact };
  } finally {
    index.close();
    table.close();
    pack.close();
  }
}

function emptySegment(): Segment {
  return { lines: [], count: 0, bytes: 0, newest: 0 };
}

function largestOf(lines: Buffer): [path: ByteName, size: number] {
  const [largest] = decodeFound(lines).sort((a, b) => b.entry.size - a.entry.size);
  return [largest?.entry.path ?? '', largest?.entry.size ?? 0];
}

/** Microseconds since 1970, rounded up. */
function newestChange(found: readonly FoundEntry[]): number {
  let newest = 0n;
  for (const { entry, ctimeNs } of found) if (entry.kind === 'file' && ctimeNs > newest) newest = ctimeNs;
  return Number((newest + NS_OF_US - 1n) / NS_OF_US);
}
