// Ends whatever runs as a user: what a site's code started may have left its pool, its cron run and its session (setsid),
// and then nothing but its user id tells whose it is.
import { listProcesses, userIdsOf } from './proc.ts';
import { waitUntil } from './wait.ts';

/** What hears SIGTERM has this long. */
const GRACE_MS = 2_000;
const END_MS = 10_000;

/** Numbers of those that run as the user in any of their ids; what has ended and waits for its parent is none. */
export async function processesOf(uid: number): Promise<readonly number[]> {
  const running = (await listProcesses()).filter(({ state }) => state !== 'Z');
  const ids = await Promise.all(running.map(async ({ pid }) => ({ pid, uids: await userIdsOf(pid) })));
  return ids.filter(({ uids }) => uids.includes(uid)).map(({ pid }) => pid);
}

/**
 * Ends all of them: asked at first, then killed, and those too that start meanwhile. strike: kill(2) of -1 with SIGKILL as
 * that user; false when it did not come to that. It reaches all at once, so that nothing escapes by forking faster than we
 * look, unseen; what it may not reach, as a program that became somebody else, we do. Repeatable. False when some are left
 * after 12 s or so.
 */
export async function endProcessesOf(uid: number, strike: () => Promise<boolean>): Promise<boolean> {
  send('SIGTERM', await processesOf(uid));
  await waitUntil(async () => (await processesOf(uid)).length === 0, GRACE_MS);
  return waitUntil(async () => {
    const struck = await strike();
    const left = await processesOf(uid);
    send('SIGKILL', left);
    return struck && left.length === 0;
  }, END_MS);
}

function send(signal: 'SIGTERM' | 'SIGKILL', pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
    }
  }
}
