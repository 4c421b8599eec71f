// The boundaries that a process passes during a task, found by watching a run: a test that enumerates them by itself
// can't forget a new one.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine, ProcessName } from '../e2e/machine.ts';

const logOf = (dir: string, name: ProcessName) => join(dir, `${name}.boundaries.log`);
const trapOf = (dir: string, name: ProcessName) => join(dir, `${name}.trap`);

/** What the process must be started with. */
export function watched(dir: string, name: ProcessName): Record<string, string> {
  return { AEGIR_FAILPOINT_LOG: logOf(dir, name), AEGIR_FAILPOINT_FILE: trapOf(dir, name) };
}

/** The boundaries that each of the processes passes while `run` does, as NAME#N. */
export async function boundariesOf(
  machine: Machine,
  names: readonly ProcessName[],
  run: () => Promise<void>,
): Promise<ReadonlyMap<ProcessName, readonly string[]>> {
  const { dir } = machine.layout;
  for (const name of names) rmSync(logOf(dir, name), { force: true });
  await run();
  return new Map(names.map((name) => [name, numbered(lines(logOf(dir, name)))]));
}

/** As shared/failpoint.ts reads them: one befalls the process after the other. */
export function setTraps(machine: Machine, name: ProcessName, traps: readonly string[]): void {
  writeFileSync(trapOf(machine.layout.dir, name), traps.join('\n'));
}

/** What is still to befall the process, as written by setTraps. */
export function trapsLeft(machine: Machine, name: ProcessName): readonly string[] {
  return lines(trapOf(machine.layout.dir, name)).filter((line) => line !== '');
}

export function isStopped(pid: number): boolean {
  try {
    return /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export function resume(machine: Machine, name: ProcessName): void {
  process.kill(machine.process(name).pid, 'SIGCONT');
}

export function clearTrap(machine: Machine, name: ProcessName): void {
  rmSync(trapOf(machine.layout.dir, name), { force: true });
}

/** How many boundaries it has passed since they were last counted from. */
export function passed(machine: Machine, name: ProcessName): number {
  return lines(logOf(machine.layout.dir, name)).length;
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').trim().split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** As NAME#N. */
export function numbered(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return `${name}#${count}`;
  });
}
