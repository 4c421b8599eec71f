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
  /** Verifies and writes; one at a time, in the order of asking. */
  take(answer: Answer, about: T): Promise<void>;
}

export async function flow<T>({ pull, limit, next, take }: FlowOptions<T>): Promise<void> {
  const asked: { readonly planned: Planned<T>; readonly answer: Promise<Answer> }[] = [];
  let underWay = 0;
  let upcoming = await next();
  while (upcoming !== undefined || asked.length > 0) {
    while (upcoming !== undefined && asked.length < MAX_ASKS && fits(underWay, upcoming.bytes)) {
      await limit(upcoming.bytes);
      underWay += upcoming.bytes;
      asked.push({ planned: upcoming, answer: pull.ask(upcoming.wanted, upcoming.bytes) });
      upcoming = await next();
    }
    const first = asked.shift();
    if (first === undefined) continue;
    const { planned, answer } = first;
    await take(await answer, planned.about);
    underWay -= planned.bytes;
  }
}

function fits(underWay: number, bytes: number): boolean {
  return underWay === 0 || underWay + bytes <= WINDOW_BYTES;
}
