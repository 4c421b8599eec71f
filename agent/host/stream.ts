// Runs programs whose input or output is too large to hold: what they write is read as the consumer goes on, what they
// read is given as they take it. Nothing runs any more when the consumer has left, however it leaves.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import type { StreamCommand } from './host.ts';
import { createTail } from './output.ts';
import { cleanEnvironment, exitCode, type RunAs, signalGroup, withRights } from './process.ts';
import { which } from './which.ts';

const DEFAULT_IDLE_MS = 600_000;
const STDERR_BYTES = 64 * 1024;
/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 5_000;
/** How long what it started may outlive the program. */
const LINGER_MS = 1_000;

export type Stream = (command: StreamCommand) => AsyncIterable<Uint8Array>;

/** asUser says whom a command runs as; given undefined, the command named no user. */
export function createStream(asUser: (user: string | undefined) => Promise<RunAs>): Stream {
  return async function* stream(command) {
    const name = basename(command.argv[0]);
    command.signal?.throwIfAborted();
    const as = await asUser(command.user);
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
    yield* follow(child, name, command);
  };
}

async function* follow(child: ChildProcess, name: string, command: StreamCommand): AsyncGenerator<Uint8Array> {
  const stderr = createTail(STDERR_BYTES);
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stderr?.on('error', () => {});
  // Why it is ended before its time; the first reason counts.
  let why: unknown;
  let killer: NodeJS.Timeout | undefined;
  const end = (reason: unknown): void => {
    if (why !== undefined) return;
    why = reason;
    signalGroup(child.pid, 'SIGTERM');
    killer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), GRACE_MS);
    child.stdout?.destroy();
  };
  const closed = new Promise<number>((resolve) => {
    let linger: NodeJS.Timeout | undefined;
    child.once('error', (cause) => {
      end(new AegirError('failed_precondition', `cannot run ${name}: it could not be started`, { cause }));
      resolve(-1);
    });
    child.once('exit', () => {
      // Its output is left open: what the program wrote may not have been read yet.
      linger = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), LINGER_MS);
    });
    child.once('close', (code, signal) => {
      clearTimeout(linger);
      resolve(exitCode(code, signal));
    });
  });
  const onAbort = (): void => end(new AegirError('cancelled', `cannot run ${name}: it was cancelled`));
  command.signal?.addEventListener('abort', onAbort, { once: true });
  if (command.signal?.aborted) onAbort();

  const idle = createIdle(command.idleMs ?? DEFAULT_IDLE_MS, (ms) =>
    end(new AegirError('deadline_exceeded', `cannot run ${name}: it did nothing for ${ms / 1000} s`)),
  );
  const feeding = command.input === undefined ? Promise.resolve() : feed(child, command.input, idle, end);
  try {
    yield* read(child, idle);
    await feeding;
    const code = await closed;
    if (why !== undefined) throw why;
    if (code !== 0) throw command.failed({ code, stderr: stderr.text() });
  } catch (thrown) {
    throw why ?? thrown;
  } finally {
    idle.stop();
    command.signal?.removeEventListener('abort', onAbort);
    // It has ended, or its consumer left.
    if (child.exitCode === null && child.signalCode === null) end('its consumer left');
    await closed;
    clearTimeout(killer);
    // What it started may outlive it.
    signalGroup(child.pid, 'SIGKILL');
    await feeding.catch(() => {});
  }
}

async function* read(child: ChildProcess, idle: Idle): AsyncGenerator<Uint8Array> {
  const { stdout } = child;
  if (stdout === null) return;
  idle.wait();
  for await (const chunk of stdout) {
    // While the consumer is busy it is not the program that does nothing.
    idle.rest();
    yield chunk as Buffer;
    idle.wait();
  }
}

/** Ends when the program takes no more; what the input throws ends the program. */
async function feed(
  child: ChildProcess,
  input: AsyncIterable<Uint8Array>,
  idle: Idle,
  end: (reason: unknown) => void,
): Promise<void> {
  const { stdin } = child;
  if (stdin === null) return;
  // A program that does not read its input closes the pipe early; its exit code says whether that was wrong.
  const gone = new AbortController();
  stdin.on('error', () => gone.abort());
  stdin.on('close', () => gone.abort());
  child.once('exit', () => gone.abort());
  const chunks = input[Symbol.asyncIterator]();
  try {
    while (!gone.signal.aborted) {
      // While the source is busy it is not the program that does nothing.
      idle.hold();
      const next = await Promise.race([chunks.next(), aborted(gone.signal)]).finally(idle.release);
      if (next === undefined || next.done === true) break;
      if (!stdin.write(next.value)) await once(stdin, 'drain', { signal: gone.signal }).catch(() => {});
    }
    stdin.end();
  } catch (thrown) {
    end(thrown);
  } finally {
    // A source that is busy hears of it when it comes back.
    if (gone.signal.aborted) void chunks.return?.().catch(() => {});
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

interface Idle {
  /** The program is waited for from now on. */
  wait(): void;
  /** It is not. */
  rest(): void;
  /** Its input is waited for, which is not its fault. */
  hold(): void;
  readonly release: () => void;
  stop(): void;
}

function createIdle(ms: number, over: (ms: number) => void): Idle {
  let timer: NodeJS.Timeout | undefined;
  let waiting = false;
  let held = false;
  const set = (): void => {
    clearTimeout(timer);
    if (waiting && !held) timer = setTimeout(() => over(ms), ms);
  };
  const to = (change: () => void) => (): void => {
    change();
    set();
  };
  return {
    wait: to(() => {
      waiting = true;
    }),
    rest: to(() => {
      waiting = false;
    }),
    hold: to(() => {
      held = true;
    }),
    release: to(() => {
      held = false;
    }),
    stop: () => clearTimeout(timer),
  };
}
