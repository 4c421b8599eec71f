// Places where a test may kill the process (SIGKILL), to show that a crash there loses nothing.
// Off unless AEGIR_FAILPOINT or AEGIR_FAILPOINT_LOG is set, which only tests do.
import { appendFileSync } from 'node:fs';

/**
 * Marks a boundary. AEGIR_FAILPOINT_LOG=FILE appends each name reached to FILE, one a line.
 * AEGIR_FAILPOINT=NAME kills this process when NAME is reached; NAME#N at its Nth time (from 1).
 */
export type Failpoint = (name: string) => void;

export function createFailpoint(env: NodeJS.ProcessEnv): Failpoint {
  const log = env['AEGIR_FAILPOINT_LOG'];
  const [name, nth] = (env['AEGIR_FAILPOINT'] ?? '').split('#');
  if (!log && !name) return () => {};
  let left = Number(nth ?? '1');
  return (reached) => {
    if (log) appendFileSync(log, `${reached}\n`);
    if (reached !== name) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
}
