// Takes a snapshot of a site's files: walks its trees, knows segments again by what was found of their entries, reads the
// others and cuts them into chunks. Keeps the index and where each chunk lies, not the chunks: whoever wants one reads it
// from the files again. For workers alone.
import { hash } from 'node:crypto';
import { closeSync, existsSync, fstatSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import { createIndexWriter } from './caibx-file.ts';
import { createChunking, createCutPoint } from './chunker.ts';
import { cleanSince } from './clean-since.ts';
import { readable, type Tree } from './entry.ts';
import { encodeFound, type FoundEntry } from './found-entry.ts';
import { createGrouping } from './grouping.ts';
import { openLibc } from './libc.ts';
import { openPack } from './pack.ts';
import { openSegmentCache, type Ref, type SegmentCache, segmentKey } from './segment-cache.ts';
import { createSegmentTable } from './segment-table.ts';
import { END_BYTES, encodeHeader, padding } from './tar-header.ts';
import { createOpener, foundEntry, isSame, type Opener, type Owners, openTree, walk } from './tree.ts';

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
}

/** A file that changes while it is read is read again so often, and then as it is. */
const ATTEMPTS = 3;
/** Changed so lately, it may well change again before somebody asks for its chunks. */
const QUIET_NS = 10_000_000_000n;
const MS = 1_000_000n;
const READ_BYTES = 4 * 1024 * 1024;

export function takeFiles(order: TakeFilesOrder, told: Saying, now: () => number): LookedThrough {
  const index = createIndexWriter(join(order.dir, 'index.caibx'));
  const table = createSegmentTable(order.dir);
  const pack = openPack(join(order.dir, 'pack'), { compress: true, verify: false });
  const start = BigInt(order.at) * MS;
  let [entries, readBytes, files] = [0, 0, 0];
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
  let refs: Ref[] = [];
  let copying = false;
  const chunking = createChunking(createCutPoint(), (chunk) => {
    const id = hash('sha256', chunk, 'buffer');
    if (copying) pack.put(id, chunk);
    refs.push({ id, size: chunk.length });
  });

  const add = (tree: number, lines: Buffer, chunks: readonly Ref[]) => {
    const [offset, firstPlace] = [index.bytes(), index.count()];
    for (const { id, size } of chunks) index.add(id, size);
    table.add({ offset, length: index.bytes() - offset, firstPlace, count: chunks.length, tree }, lines);
  };

  /** One time: the entries as they are now; undefined when one changed meanwhile. */
  const readOnce = (found: readonly FoundEntry[], opener: Opener, lastTime: boolean): FoundEntry[] | undefined => {
    const read: FoundEntry[] = [];
    refs = [];
    chunking.reset();
    for (const each of found) {
      saying.check();
      const now = each.entry.kind === 'file' ? readFile(each, opener, lastTime) : putHeader(each);
      if (now === 'changed') return undefined;
      if (now !== 'gone') read.push(now);
    }
    chunking.end();
    return read;
  };
  const putHeader = (found: FoundEntry): FoundEntry => {
    chunking.write(encodeHeader(found.entry));
    return found;
  };
  const readFile = (found: FoundEntry, opener: Opener, lastTime: boolean): FoundEntry | 'gone' | 'changed' => {
    const file = opener.file(found.entry.path);
    if (file === undefined) return 'gone';
    try {
      const before = fstatSync(file, { bigint: true });
      if (!before.isFile()) return 'gone';
      const here = isSame(found, before) ? found : foundEntry(found.entry.path, before, order.owners, '');
      const { size } = here.entry;
      putHeader(here);
      for (let at = 0; at < size; ) {
        const room = chunking.room(Math.min(READ_BYTES, size - at));
        const count = readSync(file, room, 0, room.length, at);
        if (count === 0 && !lastTime) return 'changed';
        // It was cut off: zeros stand for what is gone, as tar has it.
        if (count === 0) room.fill(0);
        chunking.filled(count === 0 ? room.length : count);
        at += count === 0 ? room.length : count;
        readBytes += count;
        saying.check();
        saying.progress(index.bytes() + at);
      }
      chunking.write(ZEROS.subarray(0, padding(size)));
      if (isSame(here, fstatSync(file, { bigint: true }))) return here;
      if (!lastTime) return 'changed';
      saying.warn(`${readable(found.entry.path)} changes all the time: it is kept as it was read`);
      return here;
    } finally {
      closeSync(file);
    }
  };

  /** clean: what changed later may change again without a trace, and is read each time. */
  const takeSegment = (
    found: readonly FoundEntry[],
    tree: number,
    opener: Opener,
    cache: SegmentCache,
    clean: bigint,
  ) => {
    if (found.length === 0) return;
    const newest = newestChange(found);
    const bytes = found.reduce((sum, { entry }) => sum + entry.size, 0);
    copying = newest > start - QUIET_NS && bytes + pack.added() <= order.copyBytes;
    const lines = encodeFound(found);
    const key = segmentKey(lines);
    const known = copying ? undefined : cache.get(key);
    if (known !== undefined) {
      entries += found.length;
      add(tree, lines, known);
      cache.keep(key, known);
      return;
    }
    for (let attempt = 1; ; attempt++) {
      const read = readOnce(found, opener, attempt === ATTEMPTS);
      if (read === undefined) {
        // It changes right now: whoever asks for its chunks later would not find them.
        copying = bytes + pack.added() <= order.copyBytes;
        continue;
      }
      entries += read.length;
      if (read.length === 0) return inexact();
      const same = read.every((each, i) => each === found[i]) && read.length === found.length;
      if (!same) inexact();
      const readLines = same ? lines : encodeFound(read);
      add(tree, readLines, refs);
      if (newestChange(read) < clean) cache.keep(same ? key : segmentKey(readLines), refs);
      return;
    }
  };

  try {
    for (const [place, { tree, path }] of order.trees.entries()) {
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
        const clean = cleanSince(noted, root, now, order.passing !== true, openLibc);
        const begins = createGrouping();
        let segment: FoundEntry[] = [];
        for (const found of walk(root, tree, order.owners, saying.warn, inexact)) {
          saying.check();
          if (begins(found.entry.path, found.entry.size)) {
            takeSegment(segment, place, opener, cache, clean);
            segment = [];
            saying.progress(index.bytes());
          }
          segment.push(found);
          const { kind, owner } = found.entry;
          if (kind !== 'directory') files += 1;
          // The site gets them when they are put back.
          if (typeof owner.user === 'number' || typeof owner.group === 'number') inexact();
        }
        takeSegment(segment, place, opener, cache, clean);
      } finally {
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
    const [bytes, chunks] = [index.bytes(), index.count()];
    return { digest: index.finish(order.passing !== true), bytes, chunks, readBytes, entries, files, exact };
  } finally {
    index.close();
    table.close();
    pack.close();
  }
}

const ZEROS = Buffer.alloc(512);

function newestChange(found: readonly FoundEntry[]): bigint {
  let newest = 0n;
  for (const { entry, ctimeNs } of found) if (entry.kind === 'file' && ctimeNs > newest) newest = ctimeNs;
  return newest;
}
