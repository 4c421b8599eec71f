// Finds and ends daemons of this directory that an agent which was killed left behind: their leader by the path of
// our configuration in its command line, their workers (which show no path) by the process group we recorded, or by the
// directory they work in where each leads a group of its own.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import type { ProcessFacts } from '../proc.ts';
import { commandLine, listProcesses, processFacts, programOf, workingDirectoryOf } from '../proc.ts';
import { waitUntil } from '../wait.ts';

export interface GroupRecord {
  /** Of the kernel that runs; pids of an earlier one mean nothing. */
  readonly boot: string;
  readonly group: number;
  /** When the group's leader started. */
  readonly startTicks: number;
}

export interface Leftover {
  readonly name: string;
  readonly program: string;
  /** Path of our configuration; it stands in the leader's command line. */
  readonly marker: string;
  readonly record: string;
  /** How long it may take to end by itself before it is killed. */
  readonly stopMs: number;
  /** What ends it in good order; default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  /** Directory of its own that all its processes work in, if they do. */
  readonly workingIn?: string;
}

export async function recordGroup(path: string, leader: number): Promise<void> {
  const facts = await processFacts(leader);
  if (facts === undefined) return; // ended already: nothing to find later
  const record: GroupRecord = { boot: await bootId(), group: leader, startTicks: facts.startTicks };
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, JSON.stringify(record));
}

/** True for members of the recorded group that still stands; a group made later by somebody else is not it. */
export function isRecorded(facts: ProcessFacts, record: GroupRecord, boot: string): boolean {
  if (record.boot !== boot || facts.group !== record.group || facts.state === 'Z') return false;
  return facts.pid === record.group ? facts.startTicks === record.startTicks : facts.startTicks >= record.startTicks;
}

export async function endLeftovers(left: Leftover): Promise<void> {
  const find = (): Promise<readonly number[]> => findLeftovers(left);
  const signal = async (name: NodeJS.Signals): Promise<void> => {
    for (const pid of await find()) trySignal(pid, name);
  };
  if ((await find()).length === 0) return;
  await signal(left.stopSignal ?? 'SIGTERM');
  if (await waitUntil(async () => (await find()).length === 0, left.stopMs, 50)) return;
  await signal('SIGKILL');
  if (await waitUntil(async () => (await find()).length === 0, 10_000, 50)) return;
  const pids = (await find()).join(', ');
  throw new AegirError('unavailable', `cannot start ${left.name}: an earlier one does not end; end process ${pids}`);
}

export async function findLeftovers(left: Leftover): Promise<readonly number[]> {
  const [all, record, boot] = await Promise.all([listProcesses(), readRecord(left.record), bootId()]);
  const found: number[] = [];
  for (const facts of all) {
    if (facts.pid === process.pid || facts.state === 'Z') continue;
    if ((await programOf(facts.pid)) !== left.program) continue;
    const recorded = record !== undefined && isRecorded(facts, record, boot);
    const inside = left.workingIn !== undefined && (await workingDirectoryOf(facts.pid)) === left.workingIn;
    if (recorded || inside || namesPath(await commandLine(facts.pid), left.marker)) found.push(facts.pid);
  }
  return found;
}

/** The path as a whole, so that /srv/a.conf is not found in /srv/a.conf.d. */
export function namesPath(commandLine: string, path: string): boolean {
  return commandLine.split(/[\s=()]+/).includes(path);
}

async function readRecord(path: string): Promise<GroupRecord | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined; // none yet, or cut short by a crash: the command line still tells the leader
  }
}

function isRecord(value: unknown): value is GroupRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { boot, group, startTicks } = value as Partial<GroupRecord>;
  return typeof boot === 'string' && Number.isInteger(group) && Number.isInteger(startTicks);
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  }
}
