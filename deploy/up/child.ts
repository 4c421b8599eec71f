// A process of ours that `up` keeps: its own session, its log in a file, gone when up is gone.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

export interface Child {
  readonly name: string;
  readonly pid: number;
  /** Resolves when it ends, with what is worth saying about it. */
  readonly ended: Promise<string>;
  /** True while it lives. */
  alive(): boolean;
  /** That it ended with by itself; undefined before, and after a signal. */
  status(): number | undefined;
  /** SIGTERM, wait, SIGKILL after 20 s. */
  stop(): Promise<void>;
}

const STOP_TIMEOUT_MS = 20_000;
const TAIL_LINES = 15;

export interface ChildOptions {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
}

export function startChild(options: ChildOptions): Child {
  const log = openSync(options.log, 'a', 0o600);
  // A session of its own: Ctrl-C reaches only up, which ends the others in order. pdeathsig: a killed up takes them along.
  const process_: ChildProcess = spawn('setpriv', ['--pdeathsig', 'TERM', '--', ...options.argv], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...options.env },
  });
  closeSync(log);
  let alive = true;
  let status: number | undefined;
  const ended = new Promise<string>((resolve) => {
    process_.once('error', (error) => {
      alive = false;
      resolve(`${options.name}: ${error.message}`);
    });
    process_.once('exit', (code, signal) => {
      alive = false;
      status = code ?? undefined;
      resolve(
        `${options.name} ended (${signal ?? `status ${code}`}); the end of ${options.log}:\n${tail(options.log)}`,
      );
    });
  });
  return {
    name: options.name,
    pid: process_.pid ?? 0,
    ended,
    alive: () => alive,
    status: () => status,
    stop: async () => {
      if (!alive) return;
      process_.kill('SIGTERM');
      const force = setTimeout(() => process_.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(force);
    },
  };
}

export function tail(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}
