// One supervised child: started, ended, started again when it dies unasked, with growing pauses. It leads a process
// group of its own with its workers, all of which end with it; the kernel tells it to end when the agent dies.
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, rename, stat } from 'node:fs/promises';
import { AegirError } from '../../../shared/error.ts';
import type { LogMark } from '../log-mark.ts';
import { lastLines, markLog } from '../log-mark.ts';
import { listProcesses } from '../proc.ts';
import type { RunAs } from '../process.ts';
import { cleanEnvironment, signalGroup, withRights } from '../process.ts';
import { createSerial } from '../serial.ts';
import { waitUntil } from '../wait.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;
/** A child that lived as long as this starts over with the first pause. */
const STEADY_MS = 60_000;
const MAX_LOG = 10 * 1024 * 1024;

export interface ChildOptions {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly as: RunAs;
  readonly cwd: string;
  /** Its standard output and error. */
  readonly log: string;
  readonly readyMs: number;
  /** Between stopSignal and SIGKILL. */
  readonly stopMs: number;
  /** What ends it in good order; default SIGTERM. */
  readonly stopSignal?: 'SIGTERM' | 'SIGINT';
  /** Done before each start. */
  before?(): Promise<void>;
  /** True when it answers; log has what it said since it was started. */
  ready(pid: number, log: LogMark): Promise<boolean>;
  /** Keeps a record by which a later agent finds what this one could not end. */
  record(pid: number): Promise<void>;
  note(level: 'info' | 'warn' | 'error', text: string): void;
  /** Aborted when the server closes: nothing is started any more. */
  readonly closing: AbortSignal;
}

export interface Child {
  /** undefined when it does not run. */
  pid(): number | undefined;
  /** Resolves when it answers. */
  start(): Promise<void>;
  /** Resolves when it and its workers are gone; it is not started again. */
  stop(): Promise<void>;
}

export function createChild(options: ChildOptions): Child {
  const { name } = options;
  const serial = createSerial();
  let leader: number | undefined;
  let mark: LogMark | undefined;
  let ended: Promise<void> = Promise.resolve();
  let wanted = false;
  let pauseMs = FIRST_PAUSE_MS;
  let again: NodeJS.Timeout | undefined;

  const answersInTime = async (pid: number, log: LogMark): Promise<void> => {
    const over = (): boolean => leader !== pid || !wanted;
    const answers = await waitUntil(async () => over() || (await options.ready(pid, log)), options.readyMs);
    if (answers && !over()) return;
    const died = leader === undefined ? 'it ended at once' : 'it was told to stop';
    const why = over() ? died : `it does not answer after ${options.readyMs / 1000} s`;
    const end = lastLines(await log.since(), 15);
    throw new AegirError('failed_precondition', `cannot start ${name}: ${why}; the end of its log:\n${end}`);
  };

  const run = async (): Promise<void> => {
    await options.before?.();
    const log = await markLog(options.log);
    const launched = await launch(options);
    const since = performance.now();
    leader = launched.pid;
    mark = log;
    ended = launched.exit.then((how) => gone(launched.pid, how, performance.now() - since));
    await options.record(launched.pid);
    await answersInTime(launched.pid, log);
  };

  /** Its workers go too, whatever ended the leader: they hold its ports. */
  const gone = async (pid: number, how: string, livedMs: number): Promise<void> => {
    signalGroup(pid, 'SIGKILL');
    await waitUntil(() => groupIsGone(pid), 10_000);
    leader = undefined;
    if (!wanted) return;
    if (livedMs > STEADY_MS) pauseMs = FIRST_PAUSE_MS;
    options.note('warn', `${name} ended (${how}); it is started again in ${pauseMs} ms`);
    again = setTimeout(() => void serial(revive), pauseMs);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  };

  const revive = async (): Promise<void> => {
    if (!wanted || leader !== undefined) return;
    try {
      await run();
      options.note('info', `${name} runs again`);
    } catch (thrown) {
      if (!wanted) return; // stopped while it was starting
      options.note('error', thrown instanceof Error ? thrown.message : String(thrown));
    }
  };

  return {
    pid: () => leader,
    start: () =>
      serial(async () => {
        if (options.closing.aborted) {
          throw new AegirError('unavailable', `cannot start ${name}: this server is being closed`);
        }
        wanted = true;
        if (leader !== undefined && mark !== undefined) {
          await answersInTime(leader, mark);
          return;
        }
        await ended;
        clearTimeout(again);
        pauseMs = FIRST_PAUSE_MS;
        await run();
      }),
    stop() {
      wanted = false; // at once, so that a start which still waits gives up
      clearTimeout(again);
      return serial(async () => {
        if (wanted) return; // somebody started it meanwhile
        const killer = setTimeout(() => signalGroup(leader, 'SIGKILL'), options.stopMs);
        if (leader !== undefined) signalProcess(leader, options.stopSignal ?? 'SIGTERM');
        await ended;
        clearTimeout(killer);
      });
    },
  };
}

async function launch(options: ChildOptions): Promise<{ readonly pid: number; readonly exit: Promise<string> }> {
  await rotate(options.log);
  const log = await open(options.log, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o640);
  try {
    await log.chown(options.as.uid, options.as.gid);
    const [program, ...rest] = withRights(options.argv, options.as, options.stopSignal === 'SIGINT' ? 'INT' : 'TERM');
    const child = spawn(program, rest, {
      cwd: options.cwd,
      env: cleanEnvironment(options.as.home),
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
    });
    const exit = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    return { pid: child.pid as number, exit };
  } finally {
    await log.close();
  }
}

export async function groupIsGone(group: number): Promise<boolean> {
  return (await listProcesses()).every((facts) => facts.group !== group || facts.state === 'Z');
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  }
}

async function rotate(log: string): Promise<void> {
  const facts = await stat(log).catch(() => undefined);
  if (facts !== undefined && facts.size > MAX_LOG) await rename(log, `${log}.1`);
}
