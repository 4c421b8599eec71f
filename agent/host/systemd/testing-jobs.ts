// What accounts.daemon.test.ts runs where processes, /etc, /run, /tmp and the spool of cron and at are its own: two sites' users that
// have the same jobs with the real daemons, while the account of one is closed. Prints what it saw as JSON.
import { spawn } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFiles } from '../files.ts';
import type { SystemUser } from '../host.ts';
import { findUser } from '../passwd.ts';
import { listProcesses } from '../proc.ts';
import { createRun, ourselves } from '../process.ts';
import { waitUntil } from '../wait.ts';
import { createAccountEnds } from './account-ends.ts';
import { createSystemUsers } from './users.ts';

const CLOSED = 'aegir-closed';
const FREE = 'aegir-free';
const JOBS = '/var/spool/cron/atjobs';
/** Cron looks once a minute. */
const LONG_MS = 80_000;
const SOON_MS = 20_000;

const run = createRun(async (user) => {
  const found = user === undefined ? undefined : await findUser(user);
  return found === undefined ? ourselves() : { uid: found.uid, gid: found.gid, home: '/' };
});
let uid = 45_000;
const files = createFiles(async () => ({ uid: 0, gid: 0 }));
const users = createSystemUsers({
  ...{ run, numbers: { next: async () => uid++ } },
  ends: createAccountEnds(files, '/tmp'),
});
const { accounts } = users;
if (accounts === undefined) throw new Error('the users under test have no accounts');

const must = async (argv: [string, ...string[]], user?: string, input?: string): Promise<string> => {
  const { code, stdout, stderr } = await run({ argv, ...(user && { user }), ...(input && { input }) });
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}: ${stderr}`);
  return stdout.trim();
};
const reach = async (what: string, within: number, condition: () => Promise<boolean>): Promise<void> => {
  if (!(await waitUntil(condition, within))) throw new Error(`not within ${within / 1000} s: ${what}`);
};
/** What the jobs of a user wrote, a line for each run. */
const marks = (kind: 'cron' | 'at', user: string): readonly string[] => {
  try {
    return readFileSync(`/tmp/${kind}-${user}`, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
};
const atNow = (user: string) => must(['at', 'now'], user, `/bin/date +%H:%M >>/tmp/at-${user}\n`);
/** atd marks a job by that before it asks whether the user may run it. */
const taken = ({ uid: owner }: SystemUser) =>
  readdirSync(JOBS).some((name) => name.startsWith('=') && lstatSync(join(JOBS, name)).uid === owner);

const closed = await users.ensure(CLOSED, '/');
await users.ensure(FREE, '/');
for (const user of [CLOSED, FREE]) {
  await must(['crontab', '-'], user, `* * * * * /bin/date +\\%H:\\%M >>/tmp/cron-${user}\n`);
}
const states = [await accounts.state(CLOSED)];
await accounts.close(CLOSED);
await accounts.close(CLOSED);
states.push(await accounts.state(CLOSED), await accounts.state(FREE));

const cron = spawn('/usr/sbin/cron', ['-f'], { stdio: 'inherit' });
spawn('/usr/sbin/atd', ['-f'], { stdio: 'inherit' });
await reach('atd runs', SOON_MS, async () => existsSync('/run/atd.pid'));
await atNow(CLOSED);
await reach('atd takes the job', LONG_MS, async () => taken(closed));
await atNow(FREE);
await reach('atd runs the job of the other', LONG_MS, async () => marks('at', FREE).length > 0);
await reach('cron runs the job of the other', LONG_MS, async () => marks('cron', FREE).length > 0);
await reach('cron is done', SOON_MS, async () => !(await listProcesses()).some(({ parent }) => parent === cron.pid));
const meanwhile = [marks('cron', CLOSED).length, marks('at', CLOSED).length];
const itself = await must(['/usr/bin/id', '-un'], CLOSED);

await accounts.open(CLOSED);
await accounts.open(CLOSED);
states.push(await accounts.state(CLOSED));
await atNow(CLOSED);
await reach('atd runs the job', LONG_MS, async () => marks('at', CLOSED).length > 0);
await reach(
  'cron runs both jobs',
  LONG_MS,
  async () => marks('cron', CLOSED).length > 0 && marks('cron', FREE).length > 1,
);
const [first, second] = marks('cron', FREE);
const [later] = marks('cron', CLOSED);

// What others say of the account.
const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
await must(['usermod', `--expiredate=${day(Date.now() - 48 * 3600_000)}`, CLOSED]);
await accounts.close(CLOSED);
await accounts.open(CLOSED);
const others = [await accounts.state(CLOSED)];
await must(['usermod', `--expiredate=${day(Date.now() + 48 * 3600_000)}`, CLOSED]);
others.push(await accounts.state(CLOSED));
await accounts.close(CLOSED);
others.push(await accounts.state(CLOSED));
await accounts.open(CLOSED);
const kept = await must(['getent', 'shadow', CLOSED]);
const ofOthers = kept.split(':')[7] === String(Math.floor((Date.now() + 48 * 3600_000) / 86_400_000));
cron.kill();
await users.remove(CLOSED);
const gone = [await accounts.state(CLOSED), readFileSync('/etc/shadow', 'utf8').includes(CLOSED)];
await accounts.close(CLOSED);

process.stdout.write(
  JSON.stringify({ states, meanwhile, itself, ofOthers, first, sameMinute: second === later, others, gone }),
);
process.exit(0);
