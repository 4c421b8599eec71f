// Work that one thread deals out to another, piece by piece, while it does other pieces itself. What the other has not begun
// when its turn comes is taken back, so that nobody waits for who sleeps. Both are workers: each waits for the other without
// a turn of its event loop. For workers alone.
import { receiveMessageOnPort } from 'node:worker_threads';
import { ANSWERED, CLAIMS, type Companion, GIVEN, OVER, SLOTS, STEP } from './companion.ts';

/** Progress of the one at work is told in such steps. */
const STEP_BYTES = 64 * 1024;
/** How often who waits looks whether it may still. */
const LOOK_MS = 200;

const OPEN = 0;
const BEGUN = 1;
const TAKEN_BACK = 2;

interface Given {
  readonly id: number;
  readonly task: unknown;
}
interface Answered {
  readonly id: number;
  readonly answer: unknown;
}

export interface Dealer {
  /** Pieces given and not taken yet. */
  open(): number;
  /** Whether it may be given one. */
  isFree(): boolean;
  /** task: cloned, with all memory that its arrays are views of. Answers its number. */
  give(task: unknown): number;
  /** Whether take has not to wait; what was not begun is not. */
  isReady(id: number): boolean;
  /** Waits for what was begun. undefined: it has no answer, do it yourself. waiting: told now and then how far it is. */
  take(id: number, waiting?: (bytes: number) => void): unknown;
  /** Nothing is in its hands any more when it returns. */
  drain(): void;
}

/** The end of who deals out. Whoever made both ends says when it is over, or the other thread is. */
export function createDealer({ port, signals }: Companion): Dealer {
  const numbers = new Int32Array(signals);
  const unanswered = new Set<number>();
  const answers = new Map<number, unknown>();
  let given = 0;
  let seen = 0;
  const claimOf = (id: number) => CLAIMS + (id % SLOTS);
  const isOver = () => Atomics.load(numbers, OVER) !== 0;
  const hear = () => {
    const answered = Atomics.load(numbers, ANSWERED);
    if (answered === seen) return answered;
    seen = answered;
    for (;;) {
      const told = receiveMessageOnPort(port) as { readonly message: Answered } | undefined;
      if (told === undefined) return answered;
      answers.set(told.message.id, told.message.answer);
    }
  };
  const dealer: Dealer = {
    open: () => unanswered.size,
    // A claim is of one piece until the other thread has passed it.
    isFree: () => given - Atomics.load(numbers, ANSWERED) < SLOTS && !isOver(),
    give(task) {
      given += 1;
      unanswered.add(given);
      Atomics.store(numbers, claimOf(given), OPEN);
      port.postMessage({ id: given, task } satisfies Given);
      Atomics.add(numbers, GIVEN, 1);
      Atomics.notify(numbers, GIVEN);
      return given;
    },
    isReady(id) {
      hear();
      return answers.has(id) || isOver();
    },
    take(id, waiting = () => {}) {
      try {
        for (;;) {
          const answered = hear();
          // First: the claim of one that was answered may be another one's by now.
          if (answers.has(id)) return answers.get(id);
          const claim = Atomics.compareExchange(numbers, claimOf(id), OPEN, TAKEN_BACK);
          if (claim !== BEGUN || isOver()) return undefined;
          waiting(Atomics.load(numbers, STEP) * STEP_BYTES);
          Atomics.wait(numbers, ANSWERED, answered, LOOK_MS);
        }
      } finally {
        unanswered.delete(id);
        answers.delete(id);
      }
    },
    drain() {
      for (const id of [...unanswered]) dealer.take(id);
    },
  };
  return dealer;
}

/** Does what the other thread deals out until it is over. step: takes how far the piece at work is. */
export function serveDealer(
  { port, signals }: Companion,
  act: (task: unknown, step: (bytes: number) => void) => unknown,
): void {
  const numbers = new Int32Array(signals);
  const step = (bytes: number) => void Atomics.store(numbers, STEP, Math.floor(bytes / STEP_BYTES));
  try {
    while (Atomics.load(numbers, OVER) === 0) {
      const given = Atomics.load(numbers, GIVEN);
      const told = receiveMessageOnPort(port) as { readonly message: Given } | undefined;
      if (told === undefined) {
        Atomics.wait(numbers, GIVEN, given, LOOK_MS);
        continue;
      }
      const { id, task } = told.message;
      const isOurs = Atomics.compareExchange(numbers, CLAIMS + (id % SLOTS), OPEN, BEGUN) === OPEN;
      let answer: unknown;
      try {
        answer = isOurs ? act(task, step) : undefined;
      } finally {
        if (isOurs) port.postMessage({ id, answer } satisfies Answered);
        step(0);
        Atomics.add(numbers, ANSWERED, 1);
        Atomics.notify(numbers, ANSWERED);
      }
    }
  } finally {
    port.close();
  }
}
