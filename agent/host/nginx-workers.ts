// Which configuration nginx serves with: a reload is in force when workers of the new one run and none of the old one
// accepts any more. nginx itself tells nobody; the titles of its workers do.
import { commandLine, listProcesses } from './proc.ts';

const WORKER = 'nginx: worker process';
const LEAVING = 'nginx: worker process is shutting down';

/** Pids of the master's workers that accept connections. */
export async function acceptingWorkers(master: number): Promise<readonly number[]> {
  const children = (await listProcesses()).filter((facts) => facts.parent === master && facts.state !== 'Z');
  const titles = await Promise.all(children.map(async ({ pid }) => ({ pid, title: await commandLine(pid) })));
  return titles.filter(({ title }) => isAccepting(title)).map(({ pid }) => pid);
}

export function isAccepting(title: string): boolean {
  return title.startsWith(WORKER) && !title.startsWith(LEAVING);
}
