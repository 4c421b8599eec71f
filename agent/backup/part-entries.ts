// The entries of a part, in their order, and what none may be: a part is looked through whole before anything of a site is
// touched. What is not sorted as we sort, lies outside of the trees, in no directory of the archive, or is neither file,
// directory nor link, is refused.
import { comparePaths, type Entry, MAX_DEPTH, parentOf, readable, TEMPORARY, TREES } from './entry.ts';
import type { FoundEntry } from './found-entry.ts';
import type { PartBytes } from './part-bytes.ts';
import { BLOCK, END_BYTES, padding } from './tar-header.ts';
import { parseHeader, refused } from './tar-parse.ts';

export interface PartEntry {
  readonly entry: Entry;
  /** Where it begins and where the next one does, in the part; of those that are the same, where all of them do. */
  readonly offset: number;
  readonly end: number;
  /** Where its content begins. */
  readonly contentAt: number;
  /** The site has it as it is, as far as is known. */
  readonly same: FoundEntry | undefined;
}

const MAX_NAME = 255;
/** Of nearly all entries: an extended header and its block, and the header. */
const HEADER_BYTES = 3 * BLOCK;
const MAX_TARGET = 4095;

/** checked: checkPart passed all of them. */
export function* partEntries(part: PartBytes, checked: boolean): Generator<PartEntry> {
  const { bytes } = part.index;
  for (let at = 0; at < bytes; ) {
    const same = part.sameAt(at);
    if (same !== undefined) {
      const [offset, end] = [at, at + same.length];
      for (const found of same.entries) yield { entry: found.entry, offset, end, contentAt: at, same: found };
      at = end;
      continue;
    }
    const offset = at;
    let held: Buffer | undefined;
    const within = (from: number, length: number) => {
      if (offset + from + length > bytes) throw refused('it is cut off');
      if (from + length > HEADER_BYTES) return part.read(offset + from, length);
      held ??= part.read(offset, Math.min(HEADER_BYTES, bytes - offset));
      return held.subarray(from, from + length);
    };
    const { entry, length } = parseHeader(within, checked);
    if (entry === undefined) {
      if (bytes - at !== END_BYTES || !within(0, END_BYTES).every((byte) => byte === 0))
        throw refused('something follows its end');
      return;
    }
    const contentAt = at + length;
    at = contentAt + entry.size + padding(entry.size);
    if (at > bytes) throw refused('it is cut off');
    yield { entry, offset, end: at, contentAt, same: undefined };
  }
}

export interface PartContent {
  /** Files and links in the trees asked for. */
  readonly entries: number;
}

/** Throws permission_denied for what must not be restored. Afterwards the part's sameness is settled. seen: told of each. */
export function checkPart(
  part: PartBytes,
  trees: readonly string[],
  check: () => void,
  seen: (each: PartEntry) => void = () => {},
): PartContent {
  const directories: string[] = [];
  const there = new Set<string>();
  let previous = '';
  let entries = 0;
  for (const each of partEntries(part, false)) {
    check();
    const { entry } = each;
    const { path, kind } = entry;
    const problem = problemOf(entry);
    if (problem !== undefined) throw refused(`${readable(path)} ${problem}`);
    if (comparePaths(previous, path) >= 0) throw refused(`${readable(path)} is there twice, or not in its place`);
    previous = path;
    const parent = parentOf(path);
    while (directories.length > 0 && directories.at(-1) !== parent) directories.pop();
    if (parent !== '' && directories.length === 0) throw refused(`${readable(path)} lies in no directory of it`);
    if (kind === 'directory') directories.push(path);
    const tree = path.split('/', 1)[0] ?? '';
    there.add(tree);
    if (kind !== 'directory' && trees.includes(tree)) entries += 1;
    seen(each);
  }
  for (const tree of trees) if (!there.has(tree)) throw refused(`it has no ${tree}`);
  part.settle();
  return { entries };
}

/** What is wrong with it, after its name. */
function problemOf({ path, kind, size, target }: Entry): string | undefined {
  const [tree = '', ...names] = path.split('/');
  if (path.startsWith('/') || path.startsWith('..')) return 'leads out of the site';
  if (!(TREES as readonly string[]).includes(tree)) return 'lies outside of the trees of a site';
  if (names.length > MAX_DEPTH + 1) return 'lies too deep';
  for (const name of names) {
    if (name === '..') return 'leads out of the site';
    if (name === '' || name === '.' || name.length > MAX_NAME || name.includes('\0'))
      return 'has a name that no file can have';
    if (name.startsWith(TEMPORARY)) return "has a name that is Aegir's own";
  }
  if (names.length === 0 && kind !== 'directory') return 'is no directory';
  if (kind !== 'file' && size !== 0) return 'has content that it cannot have';
  if (kind === 'link' && (target === '' || target.length > MAX_TARGET || target.includes('\0')))
    return 'is a link that leads to what cannot be';
  return undefined;
}
