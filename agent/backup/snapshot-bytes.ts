// Reads chunks of a snapshot of files again, from the files. A file that is no longer what it was is told as data_loss: a
// new snapshot is what it takes. For workers alone.
import { closeSync, fstatSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import { createPlaces, type IndexFile, readIndex } from './caibx-file.ts';
import { readable } from './entry.ts';
import type { FoundEntry } from './found-entry.ts';
import { openPack } from './pack.ts';
import { openSegmentTable, type SegmentTable } from './segment-table.ts';
import { encodeHeader } from './tar-header.ts';
import { createOpener, isSame, type Opener, openTree, unlessGone } from './tree.ts';

export interface SnapshotBytes {
  readonly index: IndexFile;
  readonly segments: SegmentTable;
  /** Place of the chunk in the index; undefined when it is none of the snapshot's. */
  placeOf(id: Uint8Array): number | undefined;
  /** Bytes of the part, as they were when the snapshot was taken. */
  read(offset: number, length: number): Buffer;
  chunkAt(place: number): Buffer;
  close(): void;
}

interface Laid {
  readonly place: number;
  readonly entries: readonly FoundEntry[];
  readonly headers: readonly Buffer[];
  /** Where each entry begins, in the segment. */
  readonly starts: readonly number[];
}

/** Segments whose entries are kept in mind. */
const KEPT = 4;

/** roots: directories of the trees, as they were given when the snapshot was taken. */
export function openSnapshotBytes(dir: string, roots: readonly string[]): SnapshotBytes {
  const index = readIndex(join(dir, 'index.caibx'));
  const segments = openSegmentTable(dir);
  const copies = openPack(join(dir, 'pack'), { compress: true, verify: false });
  const places = createPlaces(index);
  const trees = new Map<number, { readonly root: number; readonly opener: Opener }>();
  const laid: Laid[] = [];
  let open: { readonly path: string; readonly file: number } | undefined;

  const treeOf = (place: number): Opener => {
    const known = trees.get(place);
    if (known !== undefined) return known.opener;
    const root = unlessGone(() => openTree(roots[place] ?? ''));
    if (root === undefined) throw changed(roots[place] ?? 'the tree');
    const opener = createOpener(root);
    trees.set(place, { root, opener });
    return opener;
  };
  const layOut = (place: number): Laid => {
    const known = laid.find((each) => each.place === place);
    if (known !== undefined) return known;
    const entries = segments.entriesOf(place);
    const headers = entries.map(({ entry }) => encodeHeader(entry));
    let at = 0;
    const starts = entries.map(({ entry }, i) => {
      const start = at;
      at += (headers[i]?.length ?? 0) + Math.ceil(entry.size / 512) * 512;
      return start;
    });
    const fresh = { place, entries, headers, starts };
    laid.unshift(fresh);
    laid.length = Math.min(laid.length, KEPT);
    return fresh;
  };
  const letGo = () => {
    if (open !== undefined) closeSync(open.file);
    open = undefined;
  };
  const content = (found: FoundEntry, opener: Opener, offset: number, into: Buffer) => {
    const { path } = found.entry;
    if (open?.path !== path) {
      letGo();
      const file = opener.file(path);
      if (file === undefined) throw changed(path);
      open = { path, file };
    }
    const { file } = open;
    for (let done = 0; done < into.length; ) {
      const count = readSync(file, into, done, into.length - done, offset + done);
      if (count === 0) throw changed(path);
      done += count;
    }
    if (!isSame(found, fstatSync(file, { bigint: true }))) throw changed(path);
  };

  /** Bytes of one segment. */
  const segmentBytes = (place: number, from: number, into: Buffer) => {
    const { tree } = segments.at(place);
    into.fill(0);
    if (tree < 0) return;
    const { entries, headers, starts } = layOut(place);
    const to = from + into.length;
    let each = firstAfter(starts, from) - 1;
    for (; each < entries.length && (starts[each] as number) < to; each++) {
      const [found, header, start] = [entries[each] as FoundEntry, headers[each] as Buffer, starts[each] as number];
      if (start + header.length > from) {
        const skip = Math.max(0, from - start);
        header.copy(into, start + skip - from, skip, Math.min(header.length, to - start));
      }
      const begin = start + header.length;
      const [first, last] = [Math.max(from, begin), Math.min(to, begin + found.entry.size)];
      if (first < last) content(found, treeOf(tree), first - begin, into.subarray(first - from, last - from));
    }
  };

  const read = (offset: number, length: number): Buffer => {
    const bytes = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const place = segments.ofChunk(index.placeOf(offset + done));
      const segment = segments.at(place);
      const from = offset + done - segment.offset;
      const count = Math.min(length - done, segment.length - from);
      segmentBytes(place, from, bytes.subarray(done, done + count));
      done += count;
    }
    return bytes;
  };
  return {
    index,
    segments,
    placeOf: places,
    read,
    chunkAt(place) {
      const id = index.idAt(place);
      if (copies.has(id)) return copies.raw(id);
      return read(index.offsetAt(place), index.sizeAt(place));
    },
    close() {
      letGo();
      for (const { root, opener } of trees.values()) {
        opener.close();
        closeSync(root);
      }
      trees.clear();
      segments.close();
      copies.close();
    },
  };
}

function changed(path: string): AegirError {
  return new AegirError(
    'data_loss',
    `cannot read ${readable(path)}: it was changed since the snapshot was taken; take another one`,
    { retryable: true },
  );
}

function firstAfter(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] as number) <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
