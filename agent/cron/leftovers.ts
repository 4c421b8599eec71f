// Ends what a run left behind: processes that got away from its group, or all of it after the agent was killed. They are
// known by a variable that each of them has from its parent.
import { environmentOf, listProcesses } from '../host/proc.ts';
import { waitUntil } from '../host/wait.ts';

export const RUN_VARIABLE = 'AEGIR_CRON_RUN';
const WAIT_MS = 5_000;

/** False when some do not end. */
export async function endLeftovers(run: string): Promise<boolean> {
  const find = async (): Promise<readonly number[]> => {
    const found = await Promise.all(
      (await listProcesses()).map(async ({ pid, state }) =>
        pid !== process.pid && state !== 'Z' && (await environmentOf(pid)).includes(`${RUN_VARIABLE}=${run}`)
          ? [pid]
          : [],
      ),
    );
    return found.flat();
  };
  return waitUntil(
    async () => {
      const pids = await find();
      for (const pid of pids) kill(pid);
      return pids.length === 0;
    },
    WAIT_MS,
    50,
  );
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  }
}
