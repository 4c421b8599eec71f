// What the master does by itself again and again: one round at a time, and none is begun once it closes.

export interface Rounds {
  /** Resolves when the round at work has ended. */
  close(): Promise<void>;
}

export interface RoundsOptions {
  /** Before the first one; as everyMs when left out. */
  readonly firstMs?: number;
  readonly everyMs: number;
  readonly onFailure: (thrown: unknown) => void;
}

/** A turn that comes while a round is at work is left out. Keeps no process alive. */
export function startRounds(look: () => Promise<unknown>, { firstMs, everyMs, onFailure }: RoundsOptions): Rounds {
  let running: Promise<void> | undefined;
  const turn = () => {
    running ??= look()
      .then(() => {}, onFailure)
      .finally(() => {
        running = undefined;
      });
  };
  const first = firstMs === undefined ? undefined : setTimeout(turn, firstMs);
  const timer = setInterval(turn, everyMs);
  first?.unref();
  timer.unref();
  return {
    async close() {
      clearTimeout(first);
      clearInterval(timer);
      await running;
    },
  };
}
