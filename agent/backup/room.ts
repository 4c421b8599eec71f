// Whether what a restore writes has room, so that a disk that is too small is told before anything of the site is touched.
// For workers alone.
import { statfsSync } from 'node:fs';
import { byteSize } from '../../shared/byte-size.ts';
import { AegirError } from '../../shared/error.ts';
import { SIZES } from './chunker.ts';
import { comparePaths } from './entry.ts';
import type { FoundEntry } from './found-entry.ts';
import { zeroId } from './hollow.ts';
import type { PartBytes } from './part-bytes.ts';
import type { PartEntry } from './part-entries.ts';
import type { SnapshotBytes } from './snapshot-bytes.ts';
import type { TreeRoot } from './take-files.ts';

export interface Room {
  /** Of each entry of the part, in order. */
  add(each: PartEntry): void;
  /** Throws resource_exhausted. */
  check(): void;
}

/** live: the trees as they are. */
export function countRoom(part: PartBytes, live: SnapshotBytes, trees: readonly TreeRoot[]): Room {
  const needs = new Map(trees.map(({ tree }) => [tree as string, 0]));
  const there = filesOf(live);
  let largest = 0;
  let next = there.next();
  const add = ({ entry, same, contentAt }: PartEntry) => {
    if (entry.kind !== 'file') return;
    while (next.done !== true && comparePaths(next.value.entry.path, entry.path) < 0) next = there.next();
    const tree = entry.path.slice(0, entry.path.indexOf('/'));
    const need = needs.get(tree);
    if (same !== undefined || need === undefined) return;
    const before = next.done !== true && next.value.entry.path === entry.path ? next.value.entry.size : 0;
    const bytes = entry.size - holesIn(part, contentAt, entry.size);
    largest = Math.max(largest, Math.min(before, bytes));
    needs.set(tree, need + Math.max(0, bytes - before));
  };
  const check = () => {
    for (const { tree, path } of trees) {
      // The old one of a file lies beside the new one until that is whole.
      const need = (needs.get(tree) ?? 0) + largest;
      const { bavail, bsize } = statfsSync(path);
      if (need <= bavail * bsize) continue;
      throw new AegirError(
        'resource_exhausted',
        `cannot restore the files: the disk is full; make room, ${path} needs ${byteSize(need)} and has ${byteSize(bavail * bsize)}; ` +
          'nothing of the site was changed, and what came is kept',
        { retryable: false, untouched: true },
      );
    }
  };
  return { add, check };
}

function* filesOf({ segments }: SnapshotBytes): Generator<FoundEntry, undefined> {
  for (let place = 0; place < segments.count; place++) {
    for (const found of segments.entriesOf(place)) if (found.entry.kind === 'file') yield found;
  }
  return undefined;
}

/** Whole chunks of zeros take no room. */
function holesIn({ index }: PartBytes, contentAt: number, size: number): number {
  if (size < SIZES.max) return 0;
  let bytes = 0;
  for (let place = index.placeOf(contentAt); place < index.count && index.offsetAt(place) < contentAt + size; place++) {
    if (index.idAt(place).equals(zeroId())) bytes += SIZES.max;
  }
  return bytes;
}
