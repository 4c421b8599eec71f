// Commands of one embedded server: those that still run when it closes are ended and waited for.
import type { Command } from '../host.ts';
import type { Run } from '../process.ts';

export interface Commands {
  readonly run: Run;
  /** Resolves when none runs any more; call it after `closing` was aborted. */
  settled(): Promise<void>;
}

export function createCommands(base: Run, closing: AbortSignal): Commands {
  const running = new Set<Promise<unknown>>();
  return {
    run(command: Command) {
      const signal = command.signal === undefined ? closing : AbortSignal.any([command.signal, closing]);
      const mine = base({ ...command, signal });
      running.add(mine);
      const forget = (): void => void running.delete(mine);
      mine.then(forget, forget);
      return mine;
    },
    async settled() {
      await Promise.allSettled(running);
    },
  };
}
