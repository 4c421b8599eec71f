// Which programs run on the host now.
import { basename } from 'node:path';
import { listProcesses, programOf } from '../host/proc.ts';

/** True when a process of one of these programs (file names) runs. */
export async function isRunning(...programs: readonly string[]): Promise<boolean> {
  for (const { pid, state } of await listProcesses()) {
    if (state === 'Z') continue;
    const path = await programOf(pid);
    if (path !== undefined && programs.includes(basename(path))) return true;
  }
  return false;
}
