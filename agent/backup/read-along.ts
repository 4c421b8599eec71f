// A second thread for whoever takes a snapshot: it reads segments that the first one deals out, while that one reads others.
// What it answers is what the first would have read, or nothing: then the first one reads them itself. Both are workers, so
// each waits for the other without a turn of its event loop. For workers alone.
import { receiveMessageOnPort } from 'node:worker_threads';
import { ID_BYTES } from './caibx-file.ts';
import { ANSWERED, type Companion, GIVEN, OVER, STEP } from './companion.ts';
import { decodeFound } from './found-entry.ts';
import { createSegmentReader } from './read-segment.ts';
import type { Ref } from './segment-cache.ts';
import type { Saying } from './take-files.ts';
import { createOpener, type Opener, type Owners } from './tree.ts';

const STEP_BYTES = 64 * 1024;
/** How often who waits looks whether it may still. */
const LOOK_MS = 200;
/** The one at work, and the next. */
const MOST_GIVEN = 2;
const REF_BYTES = ID_BYTES + 4;

interface Given {
  /** Descriptor of the tree's directory: threads have them in common. It stays open until the answer is there. */
  readonly root: number;
  /** Its place among the trees: a descriptor may become another tree's. */
  readonly tree: number;
  readonly lines: Uint8Array;
}
/** As it was found: its chunks, and bytes that were read. undefined: it was not read, or is not what was found. */
type Answer = { readonly refs: Uint8Array; readonly bytes: number } | undefined;

export interface ReadAlong {
  /** Whether it takes another one now. */
  isFree(): boolean;
  give(root: number, tree: number, lines: Buffer): void;
  isAnswered(): boolean;
  /** The answer to the first of those given; waits for it. undefined: it has none, read it yourself. */
  answer(waiting: (bytes: number) => void): { readonly refs: readonly Ref[]; readonly bytes: number } | undefined;
  /** Waits until it has nothing in hand. */
  drain(): void;
}

/** The end of the first thread. Whoever made both ends says when it is over, or the other thread is. */
export function createReadAlong({ port, signals }: Companion): ReadAlong {
  const numbers = new Int32Array(signals);
  let [given, heard] = [0, 0];
  const next = (waiting: (bytes: number) => void): Answer => {
    for (;;) {
      const answered = Atomics.load(numbers, ANSWERED);
      const told = receiveMessageOnPort(port) as { readonly message: Answer } | undefined;
      if (told !== undefined) {
        heard += 1;
        return told.message;
      }
      if (Atomics.load(numbers, OVER) !== 0) {
        heard = given;
        return undefined;
      }
      waiting(Atomics.load(numbers, STEP) * STEP_BYTES);
      Atomics.wait(numbers, ANSWERED, answered, LOOK_MS);
    }
  };
  return {
    isFree: () => given - heard < MOST_GIVEN && Atomics.load(numbers, OVER) === 0,
    give(root, tree, lines) {
      given += 1;
      port.postMessage({ root, tree, lines } satisfies Given);
      Atomics.add(numbers, GIVEN, 1);
      Atomics.notify(numbers, GIVEN);
    },
    isAnswered: () => Atomics.load(numbers, ANSWERED) > heard || Atomics.load(numbers, OVER) !== 0,
    answer(waiting) {
      const answer = heard < given ? next(waiting) : undefined;
      return answer && { refs: decodeRefs(answer.refs), bytes: answer.bytes };
    },
    drain() {
      while (heard < given) next(() => {});
    },
  };
}

/** Serves the other thread until it is over. */
export function readAlong({ port, signals }: Companion, owners: Owners, saying: Saying): void {
  const numbers = new Int32Array(signals);
  const reader = createSegmentReader(owners, {
    ...saying,
    progress: (bytes) => void Atomics.store(numbers, STEP, Math.floor(bytes / STEP_BYTES)),
  });
  let open: { readonly tree: number; readonly opener: Opener } | undefined;
  const read = ({ root, tree, lines }: Given): Answer => {
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
  try {
    while (Atomics.load(numbers, OVER) === 0) {
      const given = Atomics.load(numbers, GIVEN);
      const told = receiveMessageOnPort(port) as { readonly message: Given } | undefined;
      if (told === undefined) {
        Atomics.wait(numbers, GIVEN, given, LOOK_MS);
        continue;
      }
      let answer: Answer;
      try {
        answer = read(told.message);
      } finally {
        port.postMessage(answer);
        Atomics.store(numbers, STEP, 0);
        Atomics.add(numbers, ANSWERED, 1);
        Atomics.notify(numbers, ANSWERED);
      }
    }
  } finally {
    open?.opener.close();
    port.close();
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
