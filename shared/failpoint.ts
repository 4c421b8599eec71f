// Places where a test may kill the process (SIGKILL), to show that a crash there loses nothing.
// Off unless AEGIR_FAILPOINT, AEGIR_FAILPOINT_FILE or AEGIR_FAILPOINT_LOG is set, which only tests do.
import { appendFileSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';

/**
 * Marks a boundary. AEGIR_FAILPOINT_LOG=FILE appends each name reached to FILE, one a line.
 * AEGIR_FAILPOINT=NAME kills this process when NAME is reached; NAME#N at its Nth time (from 1).
 * AEGIR_FAILPOINT_FILE=FILE does so when the first line of FILE holds that: it may be written while the process runs, and
 * the line goes with the process, so that the next one lives until it comes to the next line; a last one takes FILE along.
 * Times are counted from when a line became the first, or the process began. "pause NAME#N" stops it there instead
 * (SIGSTOP), until it gets SIGCONT.
 */
export type Failpoint = (name: string) => void;

interface Trap {
  /** As written. */
  readonly text: string;
  readonly name: string;
  readonly signal: 'SIGKILL' | 'SIGSTOP';
  left: number;
}

export function createFailpoint(env: NodeJS.ProcessEnv): Failpoint {
  const log = env['AEGIR_FAILPOINT_LOG'];
  const file = env['AEGIR_FAILPOINT_FILE'];
  let trap = set(env['AEGIR_FAILPOINT'] ?? '');
  if (!log && !file && trap.name === '') return () => {};
  return (reached) => {
    if (log) appendFileSync(log, `${reached}\n`);
    if (file) {
      const text = read(file);
      if (text !== trap.text) trap = set(text);
    }
    if (reached !== trap.name) return;
    trap.left -= 1;
    if (trap.left !== 0) return;
    const { signal } = trap;
    trap = set('');
    if (file) takeFirst(file);
    process.kill(process.pid, signal);
  };
}

function set(text: string): Trap {
  const [, pause, name = '', nth = '1'] = /^(pause )?([^#]*)(?:#(.*))?$/.exec(text) ?? [];
  return { text, name, signal: pause === undefined ? 'SIGKILL' : 'SIGSTOP', left: Number(nth) };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim().split('\n', 1)[0] ?? '';
  } catch {
    // No trap is set.
    return '';
  }
}

function takeFirst(file: string): void {
  const [, ...others] = readFileSync(file, 'utf8').trim().split('\n');
  if (others.length === 0) unlinkSync(file);
  else writeFileSync(file, `${others.join('\n')}\n`);
}
