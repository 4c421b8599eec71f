// For tests that are root: users of a production host without any in the user database. What it is asked of them is answered
// here; their processes are real ones, by numbers that nobody else has.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { SHARED_UIDS } from '../../shared/site-uid.ts';
import type { Users } from './host.ts';
import { createRun, ourselves } from './process.ts';
import { createSystemUsers } from './systemd/users.ts';

/** A number of sites' users that no other test has at the same time; which: 0 or 1. */
export function ownUid(which: 0 | 1 = 0): number {
  return SHARED_UIDS[0].first + 2 * (process.pid % 20_000) + which;
}

/** owner: whose name the database gives for the number. Whether the account has expired is remembered, and asked by nobody. */
export function createTestingUsers(name: string, uid: number, owner = name): Users {
  let expiry = '';
  const real = createRun(async (user) => (user === name ? { uid, gid: uid, home: '/' } : ourselves()));
  const entry = (of: string) => `${of}:x:${uid}:${uid}::/:/usr/sbin/nologin\n`;
  let end: number | undefined;
  return createSystemUsers({
    numbers: { next: async () => uid },
    ends: {
      read: async () => end,
      keep: async (_, day) => {
        end = day;
      },
    },
    run: async (command) => {
      const [program, option = '', database, key] = command.argv;
      if (program === 'usermod') {
        const date = option.replace('--expiredate=', '');
        expiry = date === '' ? '' : String(Date.parse(date) / (24 * 3600 * 1000));
        return { code: 0, stdout: '', stderr: '' };
      }
      if (program !== 'getent') return real(command);
      if (database === 'shadow') return { code: 0, stdout: `${name}:!:20000:::::${expiry}:\n`, stderr: '' };
      if (database !== 'passwd' || (key !== name && key !== String(uid))) return { code: 2, stdout: '', stderr: '' };
      return { code: 0, stdout: entry(key === name ? name : owner), stderr: '' };
    },
  });
}

/** Left its session and hears nothing but SIGKILL, as a daemon that a site's code has started; resolves when it is so. */
export async function startDaemonAs(uid: number, code = DEAF): Promise<ChildProcess> {
  const rights = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'];
  const child = spawn('setpriv', [...rights, 'setsid', 'perl', '-e', code], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(child, 'exit').then(([exit, signal]) => {
    throw new Error(`the daemon under test ended at once with ${exit ?? signal}`);
  });
  await Promise.race([once(child.stdout, 'data'), ended]);
  ended.catch(() => {});
  // Nobody waits for what its children still hold open.
  child.stdout.destroy();
  return child;
}

/** Ends by itself after two minutes, whatever comes of the test. */
const DEAF = `
$SIG{$_} = 'IGNORE' for qw(TERM HUP INT PIPE);
$| = 1;
print "ready\\n";
my $end = time + 120;
sleep 1 while time < $end;
`;

/** Is another process all the time, hardly ever seen, for ten seconds; counts its lives in a file. */
export function hopping(path: string): string {
  return `
use POSIX ();
$SIG{$_} = 'IGNORE' for qw(TERM HUP INT PIPE);
$| = 1;
my ($lives, $end) = (0, time + 10);
while (time < $end) {
  $lives++;
  open(my $file, '>', '${path}') or POSIX::_exit(0);
  print $file $lives;
  close $file;
  print "ready\\n" if $lives == 1;
  POSIX::_exit(0) if fork;
  POSIX::setsid();
}
`;
}
