// System users of sites. Only names that are Aegir's are made or removed, whatever is asked.
import { AegirError } from '../../../shared/error.ts';
import { isHostUid, isSharedUid } from '../../../shared/site-uid.ts';
import type { SystemUser, Users } from '../host.ts';
import { findGroup, findUser } from '../passwd.ts';
import { listProcesses, userIdsOf } from '../proc.ts';
import type { Run } from '../process.ts';
import { createSerial } from '../serial.ts';
import { waitUntil } from '../wait.ts';
import { which } from '../which.ts';
import { removeLeftovers } from './leftovers.ts';
import type { UserNumbers } from './user-numbers.ts';

const OURS = /^aegir-[a-z0-9]{1,25}$/;
const END_MS = 10_000;
/** Debian's ids of users that are no system users begin here, those of people as well. */
const FIRST_PERSON = 1000;

export interface UsersOptions {
  readonly run: Run;
  readonly numbers: UserNumbers;
  /** Ends all processes of a user id; replaced in tests. */
  readonly endProcesses?: (uid: number) => Promise<boolean>;
  /** Removes what a user id left where everybody may write; replaced in tests. */
  readonly removeLeftovers?: (uid: number) => Promise<void>;
  /** Finds a program; replaced in tests. */
  readonly which?: (program: string) => Promise<string | undefined>;
}

export function createSystemUsers(options: UsersOptions): Users {
  const { run, numbers } = options;
  const endProcesses = options.endProcesses ?? endProcessesOf;
  const sweep = options.removeLeftovers ?? removeLeftovers;
  const find = options.which ?? which;
  // useradd and userdel lock the databases and refuse instead of waiting.
  const serial = createSerial();

  const lookup = async (name: string): Promise<SystemUser | undefined> => {
    const found = await findUser(name, run);
    return found?.name === name ? { name, uid: found.uid, gid: found.gid } : undefined;
  };

  const must = async (doing: string, argv: [string, ...string[]]): Promise<void> => {
    const { code, stderr } = await run({ argv });
    if (code === 0) return;
    throw new AegirError('unavailable', `cannot ${doing}: ${argv[0]} ended with ${code}: ${stderr.trim()}`);
  };

  return {
    lookup,
    ensure: (name, home, uid = 0) =>
      serial(async () => {
        assertOurs('make', name);
        if (uid !== 0 && !isSharedUid(uid)) {
          throw new AegirError('invalid_argument', `cannot make user ${name}: ${uid} is no number of sites' users`);
        }
        const there = await lookup(name);
        if (there !== undefined) return there;
        const number = uid === 0 ? await numbers.next() : uid;
        // A crash in the middle may have left the group without its user.
        if ((await findGroup(name, run)) === undefined) {
          await must(`make group ${name}`, ['groupadd', '--system', `--gid=${number}`, '--', name]);
        }
        await must(`make user ${name}`, [
          'useradd',
          '--system',
          // The log of last logins is as long as the largest number.
          '--no-log-init',
          `--gid=${name}`,
          `--uid=${number}`,
          '--no-create-home',
          `--home-dir=${home}`,
          '--shell=/usr/sbin/nologin',
          '--comment=Aegir site',
          '--',
          name,
        ]);
        const made = await lookup(name);
        if (made !== undefined) return made;
        throw new AegirError('internal', `cannot make user ${name}: useradd made none`);
      }),
    remove: (name) =>
      serial(async () => {
        assertOurs('remove', name);
        const there = await lookup(name);
        if (there !== undefined) {
          if (there.uid === 0 || (there.uid >= FIRST_PERSON && !isSharedUid(there.uid) && !isHostUid(there.uid))) {
            throw new AegirError(
              'failed_precondition',
              `cannot remove user ${name}: it is no system user; remove it by hand`,
            );
          }
          const end = async (): Promise<void> => {
            if (await endProcesses(there.uid)) return;
            throw new AegirError('unavailable', `cannot remove user ${name}: its processes do not end`);
          };
          // Before, or they leave more; and after, for what others started of it meanwhile.
          await end();
          // What its code left with cron would outlive it; where it left nothing, crontab says so with code 1.
          const crontab = await find('crontab');
          if (crontab !== undefined) await run({ argv: [crontab, '-u', name, '-r'] });
          await sweep(there.uid);
          await end();
          await must(`remove user ${name}`, ['userdel', '--', name]);
        }
        if ((await findGroup(name, run)) !== undefined) await must(`remove group ${name}`, ['groupdel', '--', name]);
      }),
  };
}

function assertOurs(verb: string, name: string): void {
  if (OURS.test(name)) return;
  throw new AegirError('invalid_argument', `cannot ${verb} user ${JSON.stringify(name)}: only users aegir-… are ours`);
}

/** True when none is left: those that start meanwhile are ended too. */
async function endProcessesOf(uid: number): Promise<boolean> {
  return waitUntil(async () => {
    const running = (await listProcesses()).filter((facts) => facts.state !== 'Z');
    const ids = await Promise.all(running.map(async ({ pid }) => ({ pid, uids: await userIdsOf(pid) })));
    const theirs = ids.filter(({ uids }) => uids.includes(uid));
    for (const { pid } of theirs) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
      }
    }
    return theirs.length === 0;
  }, END_MS);
}
