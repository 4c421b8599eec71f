// Whom an embedded server's processes run as: ourselves, or, when we are root, somebody who is not.
import { dirname } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import type { SystemUser } from '../host.ts';
import { findGroup, findUser } from '../passwd.ts';
import type { RunAs } from '../process.ts';
import { runProcess } from '../process.ts';

const UNPRIVILEGED = 'www-data';

export interface RunUser extends SystemUser {
  readonly groupName: string;
}

/** Root gives way to who called sudo, else to www-data. */
export async function findRunUser(env: NodeJS.ProcessEnv): Promise<RunUser> {
  const euid = process.geteuid?.() ?? 0;
  const sudo = Number(env['SUDO_UID'] ?? '0');
  const wanted = euid !== 0 ? euid : Number.isInteger(sudo) && sudo > 0 ? sudo : UNPRIVILEGED;
  const user = await findUser(wanted);
  if (user === undefined) {
    const what = typeof wanted === 'number' ? `user id ${wanted} has no name` : `there is no user ${wanted}`;
    throw new AegirError(
      'failed_precondition',
      `cannot run an embedded server: ${what} in the user database; run it as another user`,
    );
  }
  const group = await findGroup(user.gid);
  return { name: user.name, uid: user.uid, gid: user.gid, groupName: group?.name ?? String(user.gid) };
}

/** Refuses a directory that the run user cannot reach, naming the one that is closed. */
export async function assertReachable(dir: string, user: RunUser, as: RunAs): Promise<void> {
  const enters = async (path: string): Promise<boolean> =>
    (await runProcess({ argv: ['test', '-x', path] }, as)).code === 0;
  if (await enters(dir)) return;
  const chain: string[] = [];
  for (let path = dir; ; path = dirname(path)) {
    chain.unshift(path);
    if (path === dirname(path)) break;
  }
  for (const path of chain) {
    if (await enters(path)) continue;
    throw new AegirError(
      'failed_precondition',
      `cannot use ${dir} for an embedded server: user ${user.name}, which its daemons run as, may not enter ${path}; ` +
        `choose a directory elsewhere, or let others through with: chmod o+x ${path}`,
    );
  }
}
