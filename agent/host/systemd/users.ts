// System users of sites. Only names that are Aegir's are made or removed, whatever is asked.
import { AegirError } from '../../../shared/error.ts';
import { isHostUid, isSharedUid } from '../../../shared/site-uid.ts';
import type { SystemUser, Users } from '../host.ts';
import { findExpiry, findGroup, findUser } from '../passwd.ts';
import type { Run } from '../process.ts';
import { createSerial } from '../serial.ts';
import { endProcessesOf, processesOf } from '../user-processes.ts';
import { which } from '../which.ts';
import type { AccountEnds } from './account-ends.ts';
import { removeLeftovers } from './leftovers.ts';
import type { UserNumbers } from './user-numbers.ts';

const OURS = /^aegir-[a-z0-9]{1,25}$/;
/** Debian's ids of users that are no system users begin here, those of people as well. */
const FIRST_PERSON = 1000;
/**
 * The shell's own kill: that of procps is not always there, and not all of its versions know -1. Who runs it is asked once
 * more: of another user it would end everything.
 */
const KILL_ALL = ['/bin/sh', '-c', '[ "$(id -u)" -eq "$1" ] && kill -s KILL -- -1', 'sh'] as const;
const STRIKE_MS = 2_000;
/** By which we know that an account was closed by us: 1970-01-02. Day 0 is none to some programs. */
const CLOSED_DAY = 1;
/** 9999-12-31: what is later never comes. */
const LAST_DAY = 2_932_896;
const DAY_MS = 24 * 3600 * 1000;

export interface UsersOptions {
  readonly run: Run;
  readonly numbers: UserNumbers;
  readonly ends: AccountEnds;
  /** Ends all processes of a user id; replaced in tests. */
  readonly endProcesses?: (uid: number) => Promise<boolean>;
  /** Removes what a user id left where everybody may write; replaced in tests. */
  readonly removeLeftovers?: (uid: number) => Promise<void>;
  /** Finds a program; replaced in tests. */
  readonly which?: (program: string) => Promise<string | undefined>;
}

export function createSystemUsers(options: UsersOptions): Users {
  const { run, numbers, ends } = options;
  const sweep = options.removeLeftovers ?? removeLeftovers;
  const find = options.which ?? which;
  // useradd and userdel lock the databases and refuse instead of waiting.
  const serial = createSerial();

  const lookup = async (name: string): Promise<SystemUser | undefined> => {
    const found = await findUser(name, run);
    return found?.name === name ? { name, uid: found.uid, gid: found.gid } : undefined;
  };

  const strike = async ({ name, uid }: SystemUser): Promise<boolean> => {
    try {
      const { code } = await run({ argv: [...KILL_ALL, String(uid)], user: name, timeoutMs: STRIKE_MS });
      return code < 128;
    } catch {
      return false; // it is one of theirs, who may stop it as well as kill it
    }
  };
  const end = async (doing: string, user: SystemUser): Promise<void> => {
    const endProcesses = options.endProcesses ?? ((uid: number) => endProcessesOf(uid, () => strike(user)));
    if (await endProcesses(user.uid)) return;
    const text = `cannot ${doing}: its processes do not end; see what holds them (ps -U ${user.name}) and try again`;
    throw new AegirError('unavailable', text);
  };

  const must = async (doing: string, argv: [string, ...string[]]): Promise<void> => {
    const { code, stderr } = await run({ argv });
    if (code === 0) return;
    throw new AegirError('unavailable', `cannot ${doing}: ${argv[0]} ended with ${code}: ${stderr.trim()}`);
  };

  const accountOf = async (name: string) => {
    if ((await lookup(name)) === undefined) return undefined;
    const day = await findExpiry(name, run);
    if (day === undefined || day === 0 || day > Date.now() / DAY_MS) return 'open';
    return day === CLOSED_DAY ? 'closed' : 'expired';
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
          if (!isSystemUser(there)) {
            throw new AegirError(
              'failed_precondition',
              `cannot remove user ${name}: it is no system user; remove it by hand`,
            );
          }
          // Before, or they leave more; and after, for what others started of it meanwhile.
          await end(`remove user ${name}`, there);
          // What its code left with cron would outlive it; where it left nothing, crontab says so with code 1.
          const crontab = await find('crontab');
          if (crontab !== undefined) await run({ argv: [crontab, '-u', name, '-r'] });
          await sweep(there.uid);
          await end(`remove user ${name}`, there);
          await must(`remove user ${name}`, ['userdel', '--', name]);
          await ends.keep(name, undefined);
        }
        if ((await findGroup(name, run)) !== undefined) await must(`remove group ${name}`, ['groupdel', '--', name]);
      }),
    processes: {
      async running(name) {
        const there = await lookup(name);
        return there === undefined ? 0 : (await processesOf(there.uid)).length;
      },
      async end(name) {
        assertOurs('end processes of', name);
        const there = await lookup(name);
        if (there === undefined) return;
        // Their other owner's would end too.
        const owner = await findUser(there.uid, run);
        if (!isSystemUser(there) || owner?.name !== name) {
          const whose = owner?.name === name ? 'that of no system user' : `that of ${owner?.name ?? 'others'} too`;
          throw new AegirError(
            'failed_precondition',
            `cannot end processes of user ${name}: its number ${there.uid} is ${whose}; give it one of its own`,
          );
        }
        await end(`end processes of user ${name}`, there);
      },
    },
    accounts: {
      state: accountOf,
      close: (name) =>
        serial(async () => {
          assertOurs('close the account of', name);
          if ((await accountOf(name)) !== 'open') return;
          const day = await findExpiry(name, run);
          // Before it is overwritten; what a crash leaves without that is written anew by the next one.
          await ends.keep(name, day === 0 || (day ?? 0) > LAST_DAY ? undefined : day);
          await must(`close the account of user ${name}`, [
            'usermod',
            `--expiredate=${dateOf(CLOSED_DAY)}`,
            '--',
            name,
          ]);
        }),
      open: (name) =>
        serial(async () => {
          assertOurs('open the account of', name);
          if ((await accountOf(name)) !== 'closed') return;
          const day = await ends.read(name);
          const date = day === undefined ? '' : dateOf(day);
          await must(`open the account of user ${name}`, ['usermod', `--expiredate=${date}`, '--', name]);
          await ends.keep(name, undefined);
        }),
    },
  };
}

function dateOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

function isSystemUser({ uid }: SystemUser): boolean {
  return uid !== 0 && (uid < FIRST_PERSON || isSharedUid(uid) || isHostUid(uid));
}

function assertOurs(verb: string, name: string): void {
  if (OURS.test(name)) return;
  throw new AegirError('invalid_argument', `cannot ${verb} user ${JSON.stringify(name)}: only users aegir-… are ours`);
}
