// What two threads that work on one thing say to each other over: a port, and numbers that each waits for the other by.
import type { MessagePort } from 'node:worker_threads';

/** One end; the other thread has the other. */
export interface Companion {
  readonly port: MessagePort;
  /** SIGNALS numbers of 32 bits. */
  readonly signals: SharedArrayBuffer;
}

/** Pieces of work that were given, and that were answered or passed. */
export const GIVEN = 0;
export const ANSWERED = 1;
/** 1 when it is over. */
export const OVER = 2;
/** How far the one at work is. */
export const STEP = 3;
/** From here on: who has which piece, each in its slot. */
export const CLAIMS = 4;
export const SLOTS = 8;
export const SIGNALS = CLAIMS + SLOTS;

/** For whoever made both ends: neither waits for the other any more. Repeatable. */
export function endCompanion(signals: SharedArrayBuffer): void {
  const numbers = new Int32Array(signals);
  Atomics.store(numbers, OVER, 1);
  for (const each of [GIVEN, ANSWERED]) Atomics.notify(numbers, each);
}
