// The window of a receiver: asks ahead while less than the window is on its way, takes answers in order, and counts
// bytes as arrived only when they were taken.
import type { Answer, Pull, Wanted } from './pull.ts';
import { MAX_ASKS, WINDOW_BYTES } from './wire.ts';

export interface Planned<T> {
  readonly wanted: Wanted;
  /** Most bytes of its answer. */
  readonly bytes: number;
  readonly about: T;
}

export interface FlowOptions<T> {
  readonly pull: Pull;
  /** Waits for the limit before bytes are asked for. */
  limit(bytes: number): Promise<void>;
  /** What to ask next; undefined when nothing more is wanted. */
  next(): Promise<Planned<T> | undefined>;
  /** Verifies and writes; begun in the order of asking. */
  take(answer: Answer, about: T): Promise<void>;
  /** How many of them at once. Default 1. */
  readonly together?: number;
}

export async function flow<T>({ pull, limit, next, take, together = 1 }: FlowOptions<T>): Promise<void> {
  const asked: { readonly planned: Planned<T>; readonly answer: Promise<Answer> }[] = [];
  const taking: { readonly bytes: number; readonly taken: Promise<void> }[] = [];
  let underWay = 0;
  const finish = async (most: number) => {
    for (let first = taking[0]; first !== undefined && taking.length > most; first = taking[0]) {
      await first.taken;
      underWay -= first.bytes;
      taking.shift();
    }
  };
  try {
    let upcoming = await next();
    while (upcoming !== undefined || asked.length > 0) {
      while (upcoming !== undefined && asked.length < MAX_ASKS && fits(underWay, upcoming.bytes)) {
        await limit(upcoming.bytes);
        underWay += upcoming.bytes;
        asked.push({ planned: upcoming, answer: pull.ask(upcoming.wanted, upcoming.bytes) });
        upcoming = await next();
      }
      const first = asked.shift();
      if (first !== undefined) {
        const { planned, answer } = first;
        const taken = take(await answer, planned.about);
        taken.catch(() => {}); // met in its turn
        taking.push({ bytes: planned.bytes, taken });
      }
      await finish(asked.length === 0 ? 0 : together - 1);
    }
  } finally {
    // Nothing of it goes on when it is over.
    await Promise.allSettled(taking.map(({ taken }) => taken));
  }
}

function fits(underWay: number, bytes: number): boolean {
  return underWay === 0 || underWay + bytes <= WINDOW_BYTES;
}
