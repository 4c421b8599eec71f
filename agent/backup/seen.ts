// What lies in a directory, many names at a look: the lines of the entries, and of each what tells how to go on. Plain arrays
// instead of an object for each: most sites are as they were, and nobody asks for more; and what another thread saw is as
// good.
import { type ByteName, type EntryKind, readable } from './entry.ts';
import { lineOf, ownerText } from './found-entry.ts';
import { pathHash } from './grouping.ts';
import { type FileFacts, openLibc, type Time } from './libc.ts';
import { factsIn, isNamed, linkIn, type Owners, ownerOf, unlessGone } from './tree.ts';

export interface Seen {
  /** Of entries. */
  readonly count: number;
  /** As encodeFound has them; ends: where each one ends. */
  readonly lines: Uint8Array;
  readonly ends: Uint32Array;
  /** Of files; 0 otherwise. */
  readonly sizes: Float64Array;
  /** pathHash of each. */
  readonly hashes: Uint32Array;
  /** When files were changed last, microseconds since 1970, rounded up; 0 otherwise. */
  readonly changes: Float64Array;
  /** IS_FILE, IS_DIRECTORY, or neither; and IS_STRANGE. */
  readonly flags: Uint8Array;
  /** Names of those that are directories, and their places, in order. */
  readonly directories: readonly { readonly name: ByteName; readonly place: number }[];
  /** What is neither file, directory nor link. */
  readonly passed: readonly string[];
}

export const IS_FILE = 1;
export const IS_DIRECTORY = 2;
/** Its owner has no name, and means nothing elsewhere. */
export const IS_STRANGE = 4;

/** Of most of them; there is more room where it takes more. */
const LINE_BYTES = 128;
const NS_OF_SECOND = 1_000_000_000;

export interface Sight {
  /** names: of what lies in an open directory, whose path in the archive it is. Those that are gone are passed over. */
  within(directory: number, path: ByteName, names: readonly ByteName[]): Seen;
  /** The directory of a tree itself. */
  root(facts: FileFacts, tree: ByteName): Seen;
}

export function createSight(owners: Owners): Sight {
  const libc = openLibc();
  return {
    within(directory, path, names) {
      const seeing = startSeeing(`${path}/`, names.length, owners);
      for (const name of names) {
        const facts = libc.look(directory, name) ?? factsIn(directory, name);
        const target = facts?.kind === 'link' ? unlessGone(() => linkIn(directory, name)) : '';
        if (facts !== undefined && target !== undefined) seeing.add(name, facts, target);
      }
      return seeing.seen();
    },
    root(facts, tree) {
      const seeing = startSeeing('', 1, owners);
      seeing.add(tree, facts, '');
      return seeing.seen();
    },
  };
}

/** Lines of some of the entries. */
export function linesOf({ lines, ends }: Seen, from: number, to: number): Buffer {
  const begin = from === 0 ? 0 : (ends[from - 1] as number);
  const end = to === 0 ? 0 : (ends[to - 1] as number);
  return Buffer.from(lines.buffer, lines.byteOffset + begin, end - begin);
}

function startSeeing(before: ByteName, most: number, owners: Owners) {
  const hashBefore = pathHash(before);
  const ends = new Uint32Array(most);
  const sizes = new Float64Array(most);
  const hashes = new Uint32Array(most);
  const changes = new Float64Array(most);
  const flags = new Uint8Array(most);
  const directories: { readonly name: ByteName; readonly place: number }[] = [];
  const passed: string[] = [];
  let [count, length] = [0, 0];
  /** Written at once: a thousand lines in pieces are what V8 would look through again and again. */
  let lines = Buffer.allocUnsafeSlow(Math.max(1, most) * LINE_BYTES);
  const write = (line: string) => {
    if (length + line.length > lines.length) {
      const larger = Buffer.allocUnsafeSlow(2 * (length + line.length));
      lines.copy(larger, 0, 0, length);
      lines = larger;
    }
    length += lines.write(line, length, 'latin1');
  };
  /** Of neighbours mostly the same. */
  let [uid, gid, owner, strange] = [-1, -1, '', 0];
  return {
    add(name: ByteName, facts: FileFacts, target: ByteName): void {
      const { kind } = facts;
      const path = before + name;
      if (kind === 'other') {
        passed.push(`${readable(path)} is a socket, a pipe or a device: it is not kept`);
        return;
      }
      if (facts.uid !== uid || facts.gid !== gid) {
        uid = facts.uid;
        gid = facts.gid;
        const its = ownerOf(uid, gid, owners);
        owner = ownerText(its);
        strange = isNamed(its) ? 0 : IS_STRANGE;
      }
      const isFile = kind === 'file';
      const size = isFile ? facts.size : 0;
      // Of a link its mode says nothing.
      const mode = kind === 'link' ? 0o777 : facts.mode;
      const ctime = isFile ? digits(facts.ctime) : '';
      write(lineOf(kind, mode, size, digits(facts.mtime), facts.ino, ctime, owner, path, target));
      ends[count] = length;
      sizes[count] = size;
      hashes[count] = pathHash(name, hashBefore);
      changes[count] = isFile ? facts.ctime.seconds * 1e6 + Math.ceil(facts.ctime.ns / 1000) : 0;
      flags[count] = flagOf(kind) | strange;
      if (kind === 'directory') directories.push({ name, place: count });
      count += 1;
    },
    seen: (): Seen => ({
      ...{ count, ends, sizes, hashes, changes, flags, directories, passed },
      lines: lines.subarray(0, length),
    }),
  };
}

function flagOf(kind: EntryKind): number {
  return kind === 'file' ? IS_FILE : kind === 'directory' ? IS_DIRECTORY : 0;
}

/** Nanoseconds since 1970. */
function digits({ seconds, ns }: Time): string {
  if (seconds > 0) return `${seconds}${String(NS_OF_SECOND + ns).slice(1)}`;
  return String(BigInt(seconds) * BigInt(NS_OF_SECOND) + BigInt(ns));
}
