// Starts test/backup/keeper-child.ts and speaks with it: one order at a time.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Passport } from '../mesh/rig.ts';
import type { KeeperAnswer, KeeperOrder } from './keeper-child.ts';

export interface KeeperProcess {
  readonly pid: number;
  /** Rejects with what it says against it. */
  tell(order: KeeperOrder): Promise<KeeperAnswer>;
  kill(): Promise<void>;
}

/** Resolves when it is connected to the mesh. */
export async function startKeeper(passport: Passport): Promise<KeeperProcess> {
  const child = fork(new URL('./keeper-child.ts', import.meta.url), ['keeper'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // As the binary: see deploy/build.
    execArgv: ['--max-semi-space-size=1', '--single-threaded-gc'],
  });
  const connected = answerOf(child);
  child.send(passport);
  await connected;
  return {
    pid: child.pid ?? 0,
    async tell(order) {
      const answer = answerOf(child);
      child.send(order);
      const told = await answer;
      if (told.failed !== undefined) throw new Error(told.failed);
      return told;
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

function answerOf(child: ChildProcess): Promise<KeeperAnswer> {
  return new Promise((resolve, reject) => {
    const heard = (answer: KeeperAnswer) => {
      child.off('exit', gone);
      resolve(answer);
    };
    const gone = () => {
      child.off('message', heard);
      reject(new Error('the process of the agent ended'));
    };
    child.once('message', heard);
    child.once('exit', gone);
  });
}
