// How many streams a token may have open: each asks the store again and again for as long as it lasts.
import { AegirError } from '../../shared/error.ts';

/** A person follows some tasks at once, a program a few dozen. */
export const MOST_STREAMS = 32;

export interface Streams {
  /** Throws resource_exhausted when the token has as many as it may. Answers what closes the stream. */
  open(actor: string): () => void;
}

export function createStreams(most = MOST_STREAMS): Streams {
  const open = new Map<string, number>();
  return {
    open(actor) {
      const before = open.get(actor) ?? 0;
      if (before >= most) {
        throw new AegirError(
          'resource_exhausted',
          `cannot answer: this token follows ${most} tasks or downloads already; end some, or use another token`,
          { retryable: true },
        );
      }
      open.set(actor, before + 1);
      let closed = false;
      return () => {
        if (closed) return;
        closed = true;
        const left = (open.get(actor) ?? 1) - 1;
        if (left > 0) open.set(actor, left);
        else open.delete(actor);
      };
    },
  };
}
