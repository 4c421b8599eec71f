// A change that is asked for and followed to its end while blows befall the processes that make it.
import type { ChangeResponse } from '../../shared/gen/aegir/v1/admin.ts';
import { type Finished, finish, type Machine, type ProcessName, taskIds } from '../e2e/machine.ts';
import { newTask } from '../e2e/site-tasks.ts';
import { clearTrap, setTraps, trapsLeft } from './boundaries.ts';
import { startGuard } from './guard.ts';
import { type Strike, trapsOf } from './strikes.ts';

/** Of a change under many blows. */
const LONGEST_MS = 300_000;

export interface Struck {
  /** Where blows can fall. */
  readonly machine: Machine;
  readonly names: readonly ProcessName[];
  readonly boundaries: ReadonlyMap<ProcessName, readonly string[]>;
  /** Starts one that died. */
  readonly start: (name: ProcessName) => Promise<void>;
  /** What happens while one stands. */
  readonly whilePaused?: () => void;
}

export interface Outcome {
  readonly done: Finished;
  /** It never came to them: those before them had led elsewhere. */
  readonly missed: readonly Strike[];
}

export async function underBlows(
  { machine, names, boundaries, start, whilePaused = () => {} }: Struck,
  strikes: readonly Strike[],
  verb: string,
  ask: () => Promise<ChangeResponse>,
): Promise<Outcome> {
  for (const [name, traps] of trapsOf(strikes, boundaries)) setTraps(machine, name, traps);
  const guard = startGuard(machine, names, start, whilePaused);
  const missed: Strike[] = [];
  try {
    const done = await followed(machine, verb, ask);
    return { done, missed };
  } finally {
    for (const name of names) {
      const own = strikes.filter((strike) => strike.name === name);
      missed.push(...own.slice(own.length - trapsLeft(machine, name).length));
      clearTrap(machine, name);
    }
    await guard.stop();
  }
}

/** Those that still run, of a change whose test failed. */
export async function settle(machine: Machine): Promise<void> {
  for (const id of await taskIds(machine, 'running')) await finish(machine, id, LONGEST_MS);
}

/** Over deaths of the master. */
async function followed(machine: Machine, verb: string, ask: () => Promise<ChangeResponse>): Promise<Finished> {
  const known = await taskIds(machine);
  let id = await ask().then(
    ({ taskId }) => taskId,
    // The master died before its answer went out; whether the task was made shows afterwards.
    (error: unknown) => {
      if (!isMastersEnd(error)) throw error;
      return undefined;
    },
  );
  for (const deadline = Date.now() + LONGEST_MS; ; ) {
    try {
      id ??= (await newTask(machine, verb, known))?.id ?? (await ask()).taskId;
      return await finish(machine, id, LONGEST_MS);
    } catch (error) {
      if (!isMastersEnd(error) || Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** A call that was cut off, or one by the connection to the master before. */
function isMastersEnd(error: unknown): boolean {
  const { code, message } = error as Error & { code?: string };
  return code === 'unavailable' || code === 'cancelled' || message.includes('Channel has been shut down');
}
