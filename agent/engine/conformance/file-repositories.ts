// Repositories of git and Subversion for tests: bare on a small file system, reached by path, by ssh, or by a private
// svnserve on the loopback.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Host } from '../../host/host.ts';
import { waitUntil } from '../../host/wait.ts';
import { freePort } from './dns-daemon.ts';
import { openGitHttps } from './file-git-https.ts';
import { isRoot, openTestPlace, type TestPlace } from './file-place.ts';
import { closedPort } from './file-ssh-world.ts';
import { openSilence, openSshd, PASSWORD, USER } from './file-sshd.ts';
import type { Declared, FileWorld } from './file-stage.ts';

const run = promisify(execFile);
const ENV = { ...process.env, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', LC_ALL: 'C.UTF-8' };
const WHO = ['-c', 'user.name=Somebody', '-c', 'user.email=somebody@example.org', '-c', 'safe.directory=*'];

/** A bare repository that belongs to the user. */
async function bareGit(place: TestPlace, owner: { uid: number; gid: number } | undefined): Promise<string> {
  const path = join(place.path, 'backups.git');
  await run('git', ['init', '--quiet', '--bare', '--initial-branch=main', path], { env: ENV });
  await run('git', [`--git-dir=${path}`, 'config', 'uploadpack.allowFilter', 'true'], { env: ENV });
  if (owner !== undefined && isRoot) await run('chown', ['-R', `${owner.uid}:${owner.gid}`, path]);
  return path;
}

/** What the branch holds, and a commit of somebody else. */
function gitHands(repository: string, owner: { uid: number; gid: number } | undefined) {
  const as = owner !== undefined && isRoot ? owner : {};
  const git = async (...args: string[]): Promise<string> =>
    (await run('git', [...WHO, `--git-dir=${repository}`, ...args], { env: ENV, ...as, maxBuffer: 2 ** 24 })).stdout;
  return {
    everything: async () => {
      const tip = (await git('for-each-ref', '--format=%(objectname)', 'refs/heads/aegir')).trim();
      return tip === ''
        ? []
        : (await git('ls-tree', '-r', '--name-only', '-z', tip)).split('\0').filter(Boolean).sort();
    },
    async plant(path: string) {
      const dir = await mkdtemp(join(tmpdir(), 'aegir-plant-'));
      try {
        if (owner !== undefined && isRoot) await run('chown', [`${owner.uid}:${owner.gid}`, dir]);
        const index = { env: { ...ENV, GIT_INDEX_FILE: join(dir, 'index') }, ...as };
        const there = async (...args: string[]) =>
          (await run('git', [...WHO, `--git-dir=${repository}`, ...args], index)).stdout.trim();
        const tip = (await git('for-each-ref', '--format=%(objectname)', 'refs/heads/aegir')).trim();
        if (tip !== '') await there('read-tree', tip);
        await writeFile(join(dir, 'text'), 'not yours');
        const blob = await there('hash-object', '-w', '--', join(dir, 'text'));
        await there('update-index', '--add', '--cacheinfo', `100644,${blob},${path}`);
        const tree = await there('write-tree');
        const commit = await there('commit-tree', tree, ...(tip === '' ? [] : ['-p', tip]), '-m', 'by hand');
        await there('update-ref', 'refs/heads/aegir', commit);
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    },
  };
}

/** By a path on the server itself. */
export async function openGitPathWorld(host: Host): Promise<FileWorld> {
  // Programs of an embedded host run as its run user.
  const { stdout } = await host.run({ argv: ['id', '-u'] });
  const owner = { uid: Number(stdout), gid: Number((await host.run({ argv: ['id', '-g'] })).stdout) };
  const place = await openTestPlace('git', owner);
  const repository = await bareGit(place, owner);
  return {
    ...place,
    declared: { settings: { url: repository }, secrets: {} },
    ...gitHands(repository, owner),
  };
}

export async function openGitSshWorld(): Promise<FileWorld> {
  const owner = isRoot ? USER : undefined;
  const place = await openTestPlace('git', owner);
  const repository = await bareGit(place, owner);
  const sshd = await openSshd();
  const silence = await openSilence();
  const secrets = { key: sshd.key };
  const at = (port: number, hostKey = sshd.hostKey): Declared => ({
    settings: { url: `ssh://${sshd.user}@127.0.0.1:${port}${repository}`, 'host-key': hostKey, branch: 'aegir' },
    secrets,
  });
  return {
    ...place,
    ...gitHands(repository, owner),
    declared: at(sshd.port),
    strange: { ...at(sshd.port), secrets: { key: sshd.otherKey } },
    otherHost: at(sshd.port, 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'),
    closed: at(await closedPort()),
    silent: at(silence.port),
    async close() {
      await sshd.close();
      await silence.close();
      await place.close();
    },
  };
}

export async function openGitHttpsWorld(): Promise<FileWorld> {
  const place = await openTestPlace('git');
  const repository = await bareGit(place, undefined);
  const server = await openGitHttps(place.path, 'backup', PASSWORD);
  const at = (port: number, secrets = { password: PASSWORD, ca: server.ca }): Declared => ({
    settings: { url: `https://127.0.0.1:${port}/backups.git`, user: 'backup' },
    secrets,
  });
  const silence = await openSilence();
  return {
    ...place,
    ...gitHands(repository, undefined),
    declared: at(server.port),
    strange: at(server.port, { password: 'another-password', ca: server.ca }),
    closed: at(await closedPort()),
    silent: at(silence.port),
    async close() {
      await server.close();
      await silence.close();
      await place.close();
    },
  };
}

const SVN_PASSWORD = `pass "word" %s it's`;

/** By svnserve, with a user and a password. */
export async function openSvnWorld(): Promise<FileWorld> {
  const place = await openTestPlace('svn');
  const repository = join(place.path, 'backups');
  await run('svnadmin', ['create', repository]);
  await writeFile(
    join(repository, 'conf/svnserve.conf'),
    '[general]\nanon-access = none\nauth-access = write\npassword-db = passwd\n',
  );
  await writeFile(join(repository, 'conf/passwd'), `[users]\nbackup = ${SVN_PASSWORD}\n`);
  await run('svn', ['mkdir', '-q', '-m', 'place', `file://${repository}/store`]);
  const port = await freePort('127.0.0.1');
  const silence = await openSilence();
  const argv = [
    '--daemon',
    '--foreground',
    '--root',
    place.path,
    '--listen-host',
    '127.0.0.1',
    '--listen-port',
    String(port),
  ];
  const child = spawn('svnserve', argv, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  const close = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
    await silence.close();
    await place.close();
  };
  if (!(await waitUntil(() => reaches(port), 60_000))) {
    await close();
    throw new Error('svnserve does not answer');
  }
  const secrets = { password: SVN_PASSWORD };
  const at = (where: number): Declared => ({
    settings: { url: `svn://127.0.0.1:${where}/backups/store`, user: 'backup' },
    secrets,
  });
  return {
    ...place,
    ...svnHands(`file://${repository}/store`),
    declared: at(port),
    strange: { ...at(port), secrets: { password: 'another-password' } },
    closed: at(await closedPort()),
    silent: at(silence.port),
    close,
  };
}

function svnHands(url: string) {
  return {
    everything: async () =>
      (await run('svn', ['list', '--recursive', url])).stdout
        .split('\n')
        .filter((line) => line !== '' && !line.endsWith('/'))
        .sort(),
    async plant(path: string) {
      const dir = await mkdtemp(join(tmpdir(), 'aegir-plant-'));
      try {
        await chmod(dir, 0o755);
        await writeFile(join(dir, 'text'), 'not yours');
        const parents = dirname(path) === '.' ? [] : ['mkdir', dirname(path)];
        await run('svnmucc', ['-m', 'by hand', '-U', url, ...parents, 'put', join(dir, 'text'), path]);
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    },
  };
}

async function reaches(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
