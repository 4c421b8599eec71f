// Commands of one embedded server: those that still run when it closes are ended and waited for.
import type { Command, StreamCommand } from '../host.ts';
import type { Run } from '../process.ts';
import type { Stream } from '../stream.ts';

export interface Commands {
  readonly run: Run;
  readonly stream: Stream;
  /** Resolves when none runs any more; call it after `closing` was aborted. */
  settled(): Promise<void>;
}

export function createCommands(base: Run, baseStream: Stream, closing: AbortSignal): Commands {
  const running = new Set<Promise<unknown>>();
  const until = (signal: AbortSignal | undefined): AbortSignal =>
    signal === undefined ? closing : AbortSignal.any([signal, closing]);
  return {
    run(command: Command) {
      const mine = base({ ...command, signal: until(command.signal) });
      running.add(mine);
      const forget = (): void => void running.delete(mine);
      mine.then(forget, forget);
      return mine;
    },
    async *stream(command: StreamCommand) {
      const { promise: ended, resolve: forget } = Promise.withResolvers<void>();
      running.add(ended);
      try {
        yield* baseStream({ ...command, signal: until(command.signal) });
      } finally {
        running.delete(ended);
        forget();
      }
    },
    async settled() {
      await Promise.allSettled(running);
    },
  };
}
