// Reads the entries of a segment and cuts them into chunks, as they are then. For workers alone.
import { hash } from 'node:crypto';
import { closeSync, fstatSync, readSync } from 'node:fs';
import { createChunking, createCutPoint, zeroChunk } from './chunker.ts';
import { readable } from './entry.ts';
import type { FoundEntry } from './found-entry.ts';
import { MOST_HOLES, tooHollow, WORTH_HOLES, zeroId } from './hollow.ts';
import type { Libc } from './libc.ts';
import type { Ref } from './segment-cache.ts';
import type { Saying } from './take-files.ts';
import { encodeHeader, padding } from './tar-header.ts';
import { factsOf, foundEntry, isSame, type Opener, type Owners } from './tree.ts';

export interface ReadSegment {
  /** As they were read: the same objects where nothing was done to them; without those that are gone. */
  readonly entries: readonly FoundEntry[];
  readonly refs: readonly Ref[];
}

export interface SegmentReader {
  /** undefined when one changed meanwhile; lastTime: then it is kept as it was read. Throws for a file of holes without end. */
  read(found: readonly FoundEntry[], opener: Opener, lastTime: boolean): ReadSegment | undefined;
  /** Of files until now, all reads together. */
  readBytes(): number;
}

export interface SegmentReaderOptions {
  readonly owners: Owners;
  readonly libc: Pick<Libc, 'nextData'>;
  /** A segment with a file of holes without end is none, instead of refused: no backup has it, and nobody keeps this. */
  readonly passing?: boolean;
}

const READ_BYTES = 4 * 1024 * 1024;
const BLOCK_BYTES = 512;
const ZEROS = Buffer.alloc(512);

/** saying: told of the bytes of the file at work. seen: gets each chunk, and must not keep its bytes. */
export function createSegmentReader(
  { owners, libc, passing = false }: SegmentReaderOptions,
  saying: Saying,
  seen: (id: Buffer, chunk: Buffer) => void = () => {},
): SegmentReader {
  let bytes = 0;
  let refs: Ref[] = [];
  const chunking = createChunking(createCutPoint(), (chunk) => {
    const id = chunk === zeroChunk() ? zeroId() : hash('sha256', chunk, 'buffer');
    seen(id, chunk);
    refs.push({ id, size: chunk.length });
  });

  const putHeader = (found: FoundEntry): FoundEntry => {
    chunking.write(encodeHeader(found.entry));
    return found;
  };
  const readFile = (
    found: FoundEntry,
    opener: Opener,
    lastTime: boolean,
  ): FoundEntry | 'gone' | 'changed' | 'hollow' => {
    const file = opener.file(found.entry.path);
    if (file === undefined) return 'gone';
    try {
      const before = fstatSync(file, { bigint: true });
      if (!before.isFile()) return 'gone';
      const here = isSame(found, before) ? found : foundEntry(found.entry.path, factsOf(before), owners, '');
      const { size } = here.entry;
      putHeader(here);
      const isHollow = size - Number(before.blocks) * BLOCK_BYTES >= WORTH_HOLES;
      let data = isHollow ? libc.nextData(file, 0, size) : { from: 0, to: size };
      let holes = 0;
      for (let at = 0; at < size; ) {
        if (at >= data.to) data = libc.nextData(file, at, size);
        if (data.from > at) {
          holes += data.from - at;
          if (holes > MOST_HOLES) return 'hollow';
          chunking.zeros(data.from - at);
          at = data.from;
          saying.check();
          saying.progress(at);
          continue;
        }
        const room = chunking.room(Math.min(READ_BYTES, data.to - at));
        const count = readSync(file, room, 0, room.length, at);
        if (count === 0 && !lastTime) return 'changed';
        // It was cut off: zeros stand for what is gone, as tar has it.
        if (count === 0) room.fill(0);
        chunking.filled(count === 0 ? room.length : count);
        at += count === 0 ? room.length : count;
        bytes += count;
        saying.check();
        saying.progress(at);
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
  return {
    read(found, opener, lastTime) {
      const entries: FoundEntry[] = [];
      refs = [];
      chunking.reset();
      for (const each of found) {
        saying.check();
        const now = each.entry.kind === 'file' ? readFile(each, opener, lastTime) : putHeader(each);
        if (now === 'changed') return undefined;
        if (now === 'hollow' && !passing) throw tooHollow(each.entry.path, each.entry.size);
        if (now === 'hollow') return { entries: [], refs: [] };
        if (now !== 'gone') entries.push(now);
      }
      chunking.end();
      return { entries, refs };
    },
    readBytes: () => bytes,
  };
}
