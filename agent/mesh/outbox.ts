// What an agent has given to its connection and the node has not taken yet, in bounds for all transfers together.
import type { Link } from './mesh.ts';

export interface Outbox {
  /** Sends when there is room. Rejects when the link is lost. */
  send(bytes: number, send: () => void): Promise<void>;
}

export const OUTBOX_BYTES = 4 * 1024 * 1024;
/** From here on the node is asked whether it has taken them, so that the sender seldom waits for its answer. */
const ASK_FROM_BYTES = OUTBOX_BYTES / 4;

export function createOutbox(link: Link): Outbox {
  let held = 0;
  let flushing: Promise<void> | undefined;
  const flush = () => {
    const asked = held;
    flushing ??= link.flush().finally(() => {
      held -= asked;
      flushing = undefined;
    });
    return flushing;
  };
  return {
    async send(bytes, send) {
      while (held > 0 && held + bytes > OUTBOX_BYTES) await flush();
      held += bytes;
      send();
      // A lost link is met by whoever waits next.
      if (held > ASK_FROM_BYTES && flushing === undefined) flush().catch(() => {});
    },
  };
}
