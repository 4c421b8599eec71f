// What users.daemon.test.ts runs where /etc and /tmp, /var/tmp, /dev/shm are its own: two sites' accounts one after the other by the real
// tools, the first of which leaves a program that runs as its user. Prints what it saw as JSON.
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createFiles } from '../files.ts';
import type { Host } from '../host.ts';
import { findGroup, findUser } from '../passwd.ts';
import { createRun, ourselves } from '../process.ts';
import { createAccountEnds } from './account-ends.ts';
import { createUserNumbers } from './user-numbers.ts';
import { createSystemUsers } from './users.ts';

const LEFT = '/var/tmp/.x';
const [, , base = ''] = process.argv;
const run = createRun(async () => ourselves());
const files = createFiles(async ({ owner, group }) => ({
  uid: owner === undefined ? 0 : ((await findUser(owner, run))?.uid ?? Number.NaN),
  gid: group === undefined ? 0 : ((await findGroup(group, run))?.gid ?? Number.NaN),
}));
/** As a new start of the agent has them; state and sites are lost when they are others. */
const usersWith = (state: string): Host['users'] =>
  createSystemUsers({
    run,
    numbers: createUserNumbers({ run, files, state: join(base, state), sites: join(base, 'sites') }),
    ends: createAccountEnds(files, join(base, state)),
  });
const leave = (uid: number, gid: number): void => {
  const as = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--'];
  execFileSync('setpriv', [...as, 'cp', '/usr/bin/id', LEFT]);
  execFileSync('setpriv', [...as, 'chmod', '6755', LEFT]);
};

for (const state of ['state', 'other']) await files.directory(join(base, state), { mode: 0o700 });
const users = usersWith('state');
const first = await users.ensure('aegir-first', '/h');
leave(first.uid, first.gid);
const { mode, uid } = statSync(LEFT);
await users.remove('aegir-first');
const removed = !existsSync(LEFT);
const second = await usersWith('state').ensure('aegir-second', '/h');
const again = await usersWith('state').ensure('aegir-second', '/h');
// The group alone, as a crash of useradd leaves it.
await users.remove('aegir-second');
execFileSync('groupadd', ['--system', `--gid=${second.uid + 1}`, '--', 'aegir-third']);
const third = await users.ensure('aegir-third', '/h');
const lost = await usersWith('other').ensure('aegir-fourth', '/h');
const shared = await users.ensure('aegir-fifth', '/h', 480_001);
for (const name of ['aegir-third', 'aegir-fourth', 'aegir-fifth']) await users.remove(name);
const left = ['passwd', 'group'].flatMap((name) =>
  execFileSync('getent', [name], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.startsWith('aegir-f')),
);
process.stdout.write(
  JSON.stringify({ first, program: { mode, uid }, removed, second, again, third, lost, shared, left }),
);
