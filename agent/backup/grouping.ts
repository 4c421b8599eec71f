// Which entries form a segment, whose chunks are cut on their own: neighbours, until there is enough of them. The end lies
// before a path that says so itself, so that segments after a new or removed file are those that were there before. Pure.
import type { ByteName } from './entry.ts';

const ENOUGH = 512 * 1024;
const TOO_MUCH = 4 * 1024 * 1024;
/** From this size on a file is a segment of its own. */
const LARGE = 1024 * 1024;
/** Of an entry besides its content: headers. */
const OVERHEAD = 1536;
/** One path in so many begins a segment where there is enough. */
const ONE_IN = 16;

/** Answers of each entry in its order whether it begins a segment. hash: pathHash of its path. */
export function createGrouping(): (hash: number, size: number) => boolean {
  let bytes = 0;
  let closed = true;
  return (hash, size) => {
    const large = size >= LARGE;
    const begins = closed || large || bytes >= TOO_MUCH || (bytes >= ENOUGH && hash % ONE_IN === 0);
    if (begins) bytes = 0;
    bytes += size + OVERHEAD;
    closed = large;
    return begins;
  };
}

/** FNV-1a. before: that of what stands before it in the path. */
export function pathHash(path: ByteName, before = 0x811c9dc5): number {
  let hash = before;
  for (let i = 0; i < path.length; i++) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
