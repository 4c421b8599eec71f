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

/** The process will die by SIGKILL at the boundary, once. */
export function setTrap(machine: Machine, name: ProcessName, boundary: string): void {
  writeFileSync(trapOf(machine.layout.dir, name), boundary);
}

/**
 * Stops it at the boundary, once: resolves true when it stands there, until resume; false when it has ended before, or
 * `over` has resolved.
 */
export async function pausedAt(
  machine: Machine,
  name: ProcessName,
  boundary: string,
  over: Promise<unknown>,
): Promise<boolean> {
  writeFileSync(trapOf(machine.layout.dir, name), `pause ${boundary}`);
  let going = true;
  const end = () => {
    going = false;
  };
  over.then(end, end);
  const child = machine.process(name);
  while (going && child.alive()) {
    if (isStopped(child.pid)) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  clearTrap(machine, name);
  return child.alive() && isStopped(child.pid);
}

export function resume(machine: Machine, name: ProcessName): void {
  process.kill(machine.process(name).pid, 'SIGCONT');
}

function isStopped(pid: number): boolean {
  try {
    return /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export function clearTrap(machine: Machine, name: ProcessName): void {
  rmSync(trapOf(machine.layout.dir, name), { force: true });
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').trim().split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function numbered(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return `${name}#${count}`;
  });
}
