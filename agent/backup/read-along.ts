// A second thread for whoever takes a snapshot or puts one back: it looks at directories before their turn, reads segments and
// makes files that the first one deals out, while that one does others. What it answers is what the first would have seen,
// read or made, or nothing: then the first one does it itself. For workers alone.
import { ID_BYTES } from './caibx-file.ts';
import type { Companion } from './companion.ts';
import { createDealer, serveDealer } from './deal.ts';
import type { ByteName } from './entry.ts';
import { decodeFound } from './found-entry.ts';
import { openLibc } from './libc.ts';
import { createMaker, type MadeFiles, type NewFiles } from './new-file.ts';
import { createSegmentReader } from './read-segment.ts';
import { createSight } from './seen.ts';
import type { Ref } from './segment-cache.ts';
import type { Saying } from './take-files.ts';
import { createOpener, type Opener, type Owners } from './tree.ts';
import { type Listed, type LookAhead, listed } from './walk.ts';

/** The one at work, and the next. */
const MOST_GIVEN = 2;
const REF_BYTES = ID_BYTES + 4;
const NONE: MadeFiles = new BigInt64Array(0);

interface Reading {
  /** Descriptor of the tree's directory: threads have them in common. It stays open until the answer is there. */
  readonly root: number;
  /** Its place among the trees: a descriptor may become another tree's. */
  readonly tree: number;
  readonly lines: Uint8Array;
}
/** As it was found: its chunks, and bytes that were read. */
interface Read {
  readonly refs: Uint8Array;
  readonly bytes: number;
}
/** Of a directory in an open one. */
interface Looking {
  readonly directory: number;
  readonly name: ByteName;
  readonly path: ByteName;
}
type Task = { readonly read: Reading } | { readonly look: Looking } | { readonly make: NewFiles };

export interface ReadAlong {
  readonly look: LookAhead;
  /** Whether it takes another segment now. */
  isFree(): boolean;
  /** A segment to read. */
  give(root: number, tree: number, lines: Buffer): SegmentRead;
  /** Whether it takes other files to make now. */
  mayMake(): boolean;
  make(files: NewFiles): FilesMade;
  /** Waits until it has nothing in hand. */
  drain(): void;
}

export interface SegmentRead {
  isAnswered(): boolean;
  /** Waits for it. undefined: it has no answer, read it yourself. To be called once. */
  answer(waiting: (bytes: number) => void): { readonly refs: readonly Ref[]; readonly bytes: number } | undefined;
}

export interface FilesMade {
  isAnswered(): boolean;
  /** Waits for it. Those that are not among them are not there: make them yourself. To be called once. */
  answer(): MadeFiles;
}

/** The end of the first thread. */
export function createReadAlong(companion: Companion): ReadAlong {
  const dealer = createDealer(companion);
  let [reading, looking, making] = [0, 0, 0];
  return {
    isFree: () => reading < MOST_GIVEN && dealer.isFree(),
    give(root, tree, lines) {
      reading += 1;
      // A copy: with a view the whole memory behind it would go.
      const id = dealer.give({ read: { root, tree, lines: new Uint8Array(lines) } } satisfies Task);
      return {
        isAnswered: () => dealer.isReady(id),
        answer(waiting) {
          reading -= 1;
          const read = dealer.take(id, waiting) as Read | undefined;
          return read && { refs: decodeRefs(read.refs), bytes: read.bytes };
        },
      };
    },
    mayMake: () => making < MOST_GIVEN && dealer.isFree(),
    make(files) {
      making += 1;
      const id = dealer.give({ make: files } satisfies Task);
      return {
        isAnswered: () => dealer.isReady(id),
        answer() {
          making -= 1;
          return (dealer.take(id) as MadeFiles | undefined) ?? NONE;
        },
      };
    },
    look: {
      isFree: () => looking < MOST_GIVEN && dealer.isFree(),
      look(directory, name, path) {
        looking += 1;
        const id = dealer.give({ look: { directory, name, path } } satisfies Task);
        return () => {
          looking -= 1;
          return dealer.take(id) as Listed | undefined;
        };
      },
      drain: () => dealer.drain(),
    },
    drain: () => dealer.drain(),
  };
}

/** Serves the other thread until it is over. */
export function readAlong(companion: Companion, owners: Owners, saying: Saying): void {
  let progress = (_: number) => {};
  const libc = openLibc();
  const reader = createSegmentReader({ owners, libc }, { ...saying, progress: (bytes) => progress(bytes) });
  const sight = createSight(owners);
  const make = createMaker(libc, { ...saying, progress: () => {} });
  let open: { readonly tree: number; readonly opener: Opener } | undefined;
  const read = ({ root, tree, lines }: Reading): Read | undefined => {
    if (open?.tree !== tree) {
      open?.opener.close();
      open = { tree, opener: createOpener(root) };
    }
    const found = decodeFound(Buffer.from(lines.buffer, lines.byteOffset, lines.length));
    const before = reader.readBytes();
    const got = reader.read(found, open.opener, false);
    const same = got?.entries.length === found.length && got.entries.every((each, i) => each === found[i]);
    return same ? { refs: encodeRefs(got.refs), bytes: reader.readBytes() - before } : undefined;
  };
  const look = ({ directory, name, path }: Looking): Listed | undefined => {
    saying.check();
    const there = listed(directory, name, path, sight);
    return there && { ...there, seen: { ...there.seen, lines: new Uint8Array(there.seen.lines) } };
  };
  try {
    serveDealer(companion, (given, step) => {
      const task = given as Task;
      progress = step;
      if ('make' in task) return make(task.make);
      return 'read' in task ? read(task.read) : look(task.look);
    });
  } finally {
    open?.opener.close();
  }
}

function encodeRefs(refs: readonly Ref[]): Uint8Array {
  const bytes = Buffer.alloc(refs.length * REF_BYTES);
  for (const [i, { id, size }] of refs.entries()) {
    bytes.set(id, i * REF_BYTES);
    bytes.writeUInt32LE(size, i * REF_BYTES + ID_BYTES);
  }
  return bytes;
}

function decodeRefs(all: Uint8Array): readonly Ref[] {
  const bytes = Buffer.from(all.buffer, all.byteOffset, all.length);
  return Array.from({ length: bytes.length / REF_BYTES }, (_, i) => ({
    id: bytes.subarray(i * REF_BYTES, i * REF_BYTES + ID_BYTES),
    size: bytes.readUInt32LE(i * REF_BYTES + ID_BYTES),
  }));
}
