// What is known of the segments of trees that were put back, as they are then, so that the next look at them reads nothing.
import { join } from 'node:path';
import type { Entry, Owner } from './entry.ts';
import { encodeFound, type FoundEntry } from './found-entry.ts';
import { createGrouping, pathHash } from './grouping.ts';
import type { PartBytes } from './part-bytes.ts';
import type { PartEntry } from './part-entries.ts';
import { openSegmentCache, type Ref, type SegmentCache, segmentKey } from './segment-cache.ts';
import type { TreeRoot } from './take-files.ts';

/** Of a file as it is now: what it is known by. */
export type Known = Pick<FoundEntry, 'ino' | 'ctimeNs'>;

export interface PutMemory {
  /** Of each entry, in order. known: of a file. */
  add(each: PartEntry, known: Known | undefined): void;
  save(): void;
}

export function createPutMemory(
  part: PartBytes,
  { trees, cacheDir }: { readonly trees: readonly TreeRoot[]; readonly cacheDir: string },
): PutMemory {
  const caches: SegmentCache[] = [];
  let begins = createGrouping();
  let found: FoundEntry[] = [];
  let [from, to] = [0, 0];
  let exact = true;
  const close = () => {
    const refs = exact && found.length > 0 ? refsOf(part, from, to) : undefined;
    if (refs !== undefined) caches.at(-1)?.keep(segmentKey(encodeFound(found)), refs);
    found = [];
    exact = true;
    from = to;
  };
  return {
    add({ entry, offset, end }, known) {
      const isRoot = trees.some(({ tree }) => tree === entry.path);
      if (isRoot) {
        close();
        caches.push(openSegmentCache(join(cacheDir, entry.path)));
        begins = createGrouping();
      }
      if (begins(pathHash(entry.path), entry.size)) close();
      if (found.length === 0) from = offset;
      found.push({ entry, ino: known?.ino ?? 0n, ctimeNs: known?.ctimeNs ?? 0n });
      to = end;
      if (!isKept(entry.owner) || modeOf(entry) !== entry.mode) exact = false;
    },
    save() {
      close();
      for (const cache of caches) cache.save();
    },
  };
}

/** The chunks of the bytes, when they begin and end with them. */
function refsOf(part: PartBytes, from: number, to: number): readonly Ref[] | undefined {
  const { index } = part;
  const first = index.placeOf(from);
  const last = index.placeOf(to - 1);
  if (index.offsetAt(first) !== from || index.offsetAt(last + 1) !== to) return undefined;
  return Array.from({ length: last - first + 1 }, (_, i) => ({
    id: Buffer.from(index.idAt(first + i)),
    size: index.sizeAt(first + i),
  }));
}

/** A program that runs as somebody else than the site is nothing that a site may bring along. */
export function modeOf({ kind, mode, owner: { user, group } }: Entry): number {
  if (kind !== 'file') return mode;
  return mode & ~(user === 'site' ? 0 : 0o6000) & ~(group === 'site' ? 0 : 0o2000);
}

/** Whether it is put back as whose it was. */
function isKept({ user, group }: Owner): boolean {
  return user === 'site' && (group === 'site' || group === 'web');
}
