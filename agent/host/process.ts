// Runs programs to their end: argument vectors, a clean environment, bounded time and output, rights dropped
// before the program starts. A program and all it started form one process group, which is ended as one.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { basename } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import type { Command, CommandResult } from './host.ts';
import { createLines, createTail } from './output.ts';
import { SAFE_PATH, which } from './which.ts';

const DEFAULT_TIMEOUT_MS = 60_000;
const DEFAULT_OUTPUT = 1024 * 1024;
/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 5_000;
/** How long output may stay open after the program ended: something it left behind still holds it. */
const LINGER_MS = 1_000;

/** Whom a process runs as. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

export type Run = (command: Command) => Promise<CommandResult>;

/** asUser says whom a command runs as; given undefined, the command named no user. */
export function createRun(asUser: (user: string | undefined) => Promise<RunAs>): Run {
  return async (command) => {
    const name = basename(command.argv[0]);
    if (command.signal?.aborted) throw cancelled(name);
    const as = await asUser(command.user);
    return runProcess(command, as);
  };
}

/** The agent itself. */
export function ourselves(): RunAs {
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, home: process.env['HOME'] ?? '/' };
}

/**
 * An argument vector that runs argv as somebody else without any supplementary groups, and that gets `signal` when the
 * process that starts it dies, however it dies.
 */
export function withRights(
  argv: readonly string[],
  as: RunAs,
  deathSignal: 'KILL' | 'TERM' | 'INT',
): [string, ...string[]] {
  const me = ourselves();
  const drop =
    as.uid === me.uid && as.gid === me.gid ? [] : [`--reuid=${as.uid}`, `--regid=${as.gid}`, '--clear-groups'];
  return ['/usr/bin/setpriv', '--pdeathsig', deathSignal, ...drop, '--', ...argv];
}

export function cleanEnvironment(home: string): Record<string, string> {
  return { PATH: SAFE_PATH, HOME: home, LANG: 'C.UTF-8' };
}

export async function runProcess(command: Command, as: RunAs): Promise<CommandResult> {
  const name = basename(command.argv[0]);
  const program = await which(command.argv[0]);
  if (program === undefined) {
    throw new AegirError('not_found', `cannot run ${name}: there is no such program on this host; install it`);
  }
  const [setpriv, ...rest] = withRights([program, ...command.argv.slice(1)], as, 'KILL');
  const child = spawn(setpriv, rest, {
    cwd: command.cwd ?? '/',
    env: { ...(command.env ?? cleanEnvironment(as.home)) },
    stdio: [command.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  return watch(child, name, command);
}

function watch(child: ChildProcess, name: string, command: Command): Promise<CommandResult> {
  const timeoutMs = command.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  return new Promise((resolve, reject) => {
    let why: unknown;
    let killer: NodeJS.Timeout | undefined;
    let linger: NodeJS.Timeout | undefined;

    const end = (reason: unknown): void => {
      if (why !== undefined) return;
      why = reason;
      signalGroup(child.pid, 'SIGTERM');
      killer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), GRACE_MS);
    };
    const timer = setTimeout(() => end(tooLong(name, timeoutMs)), timeoutMs);
    const onAbort = (): void => end(cancelled(name));
    command.signal?.addEventListener('abort', onAbort, { once: true });
    if (command.signal?.aborted) onAbort();
    const settle = (): void => {
      clearTimeout(timer);
      clearTimeout(killer);
      clearTimeout(linger);
      command.signal?.removeEventListener('abort', onAbort);
    };

    const max = command.maxOutput ?? DEFAULT_OUTPUT;
    const collect = (stream: 'stdout' | 'stderr') => {
      const tail = createTail(max);
      const onLine = command.onLine;
      const guard = (act: () => void): void => {
        try {
          act();
        } catch (thrown) {
          end(thrown);
        }
      };
      const lines = onLine && createLines((line) => onLine(stream, line));
      child[stream]?.on('data', (chunk: Buffer) => {
        tail.push(chunk);
        if (lines) guard(() => lines.push(chunk));
      });
      child[stream]?.on('error', end);
      return { text: tail.text, finish: () => lines && guard(lines.end) };
    };
    const stdout = collect('stdout');
    const stderr = collect('stderr');

    // A program that does not read its input closes the pipe early; its exit code says whether that was wrong.
    child.stdin?.on('error', () => {});
    if (command.input !== undefined) child.stdin?.end(command.input);

    child.once('error', (cause) => {
      settle();
      reject(new AegirError('failed_precondition', `cannot run ${name}: ${spawnFailure(cause, command)}`, { cause }));
    });
    child.once('exit', () => {
      linger = setTimeout(() => {
        signalGroup(child.pid, 'SIGKILL');
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, LINGER_MS);
    });
    child.once('close', (code, signal) => {
      stdout.finish();
      stderr.finish();
      settle();
      if (why !== undefined) reject(why);
      else resolve({ code: exitCode(code, signal), stdout: stdout.text(), stderr: stderr.text() });
    });
  });
}

/** Signals a process group; one that is gone already is no error. */
export function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  }
}

export function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

function spawnFailure(cause: Error, command: Command): string {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return `its working directory ${command.cwd ?? '/'} or /usr/bin/setpriv does not exist`;
  if (code === 'E2BIG') return 'its arguments are too long';
  return cause.message;
}

function tooLong(name: string, timeoutMs: number): AegirError {
  return new AegirError('deadline_exceeded', `cannot run ${name}: it did not end within ${timeoutMs / 1000} s`);
}

function cancelled(name: string): AegirError {
  return new AegirError('cancelled', `cannot run ${name}: it was cancelled`);
}
