// Looks after processes while a task runs, as systemd would: who died is started again. Who stands at a boundary goes on when
// what was to happen meanwhile has happened.
import type { Machine, ProcessName } from '../e2e/machine.ts';
import { isStopped, resume } from './boundaries.ts';

const EVERY_MS = 20;
/** A master that is struck again while it starts is started again, too. */
const MOST_STARTS = 5;

export interface Guard {
  /** How often something befell one of them. */
  readonly blows: number;
  /** Resolves when all of them live; throws when one could not be started. */
  stop(): Promise<void>;
}

export function startGuard(
  machine: Machine,
  names: readonly ProcessName[],
  start: (name: ProcessName) => Promise<void>,
  whilePaused: () => void,
): Guard {
  let going = true;
  let blows = 0;
  const again = async (name: ProcessName): Promise<void> => {
    for (let times = 1; !machine.process(name).alive(); times++) {
      blows += 1;
      try {
        await start(name);
      } catch (error) {
        if (times >= MOST_STARTS || machine.process(name).alive()) throw error;
      }
    }
  };
  const guard = async (name: ProcessName): Promise<void> => {
    for (; going; await new Promise((resolve) => setTimeout(resolve, EVERY_MS))) {
      await again(name);
      if (!isStopped(machine.process(name).pid)) continue;
      blows += 1;
      whilePaused();
      resume(machine, name);
    }
    await again(name);
  };
  const guards = Promise.all(names.map(guard));
  // Told by stop.
  guards.catch(() => {});
  return {
    get blows() {
      return blows;
    },
    async stop() {
      going = false;
      await guards;
    },
  };
}
