// A private sshd on the loopback for tests. As root it runs in a mount namespace of its own with a user that is there
// alone, by key and password; as anybody else it lets in whoever runs the test, by key.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitUntil } from '../../host/wait.ts';
import { freePort, temporaryDirectory } from './dns-daemon.ts';
import { isRoot } from './file-place.ts';

const run = promisify(execFile);
/** Known to the sshd of root's tests alone. */
export const USER = { name: 'aegir-store', uid: 64_222, gid: 64_222 };
export const PASSWORD = `pass "word" $HOME %s it's`;

export interface TestSshd {
  readonly port: number;
  readonly user: string;
  readonly key: string;
  /** A key that it does not let in. */
  readonly otherKey: string;
  /** Public, "ssh-ed25519 AAAA…"; and a fingerprint of it. */
  readonly hostKey: string;
  readonly fingerprint: string;
  /** Undefined where the server knows none. */
  readonly password: string | undefined;
  close(): Promise<void>;
}

export async function openSshd(): Promise<TestSshd> {
  const dir = await temporaryDirectory('sshd');
  await chmod(dir, 0o755);
  for (const name of ['host', 'client', 'other']) {
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(dir, name)]);
  }
  const port = await freePort('127.0.0.1');
  await writeFile(join(dir, 'authorized'), await readFile(join(dir, 'client.pub')));
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(dir, 'host')}`,
    `AuthorizedKeysFile ${join(dir, 'authorized')}`,
    `PidFile ${join(dir, 'pid')}`,
    'Subsystem sftp internal-sftp',
    'UsePAM no',
    'StrictModes no',
    `PasswordAuthentication ${isRoot ? 'yes' : 'no'}`,
    'KbdInteractiveAuthentication no',
    'MaxStartups 100',
  ];
  await writeFile(join(dir, 'config'), `${config.join('\n')}\n`);
  const sshd = ['/usr/sbin/sshd', '-D', '-e', '-f', join(dir, 'config')];
  const argv = isRoot ? ['unshare', '--mount', '--propagation', 'private', 'sh', await namespace(dir), ...sshd] : sshd;
  const child = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => (said = `${said}${chunk}`.slice(-5000)));
  const exited = once(child, 'exit');
  const close = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
    await rm(dir, { recursive: true, force: true });
  };
  if (!(await waitUntil(() => child.exitCode !== null || listens(port), 60_000)) || child.exitCode !== null) {
    await close();
    throw new Error(`sshd does not answer: ${said}`);
  }
  const text = (name: string) => readFile(join(dir, name), 'utf8');
  const { stdout } = await run('ssh-keygen', ['-l', '-f', join(dir, 'host.pub')]);
  return {
    port,
    user: isRoot ? USER.name : userInfo().username,
    key: await text('client'),
    otherKey: await text('other'),
    hostKey: (await text('host.pub')).trim(),
    fingerprint: stdout.split(' ')[1] ?? '',
    password: isRoot ? PASSWORD : undefined,
    close,
  };
}

/** A script that gives sshd users of its own, seen by nobody else. */
async function namespace(dir: string): Promise<string> {
  const home = join(dir, 'home');
  await mkdir(home);
  const { stdout: hash } = await run('openssl', ['passwd', '-6', PASSWORD]);
  const own = async (name: string, line: string) =>
    writeFile(join(dir, name), `${await readFile(`/etc/${name}`, 'utf8')}${line}\n`, { mode: 0o644 });
  await own('passwd', `${USER.name}:x:${USER.uid}:${USER.gid}::${home}:/bin/sh`);
  await own('group', `${USER.name}:x:${USER.gid}:`);
  await own('shadow', `${USER.name}:${hash.trim()}:19000:0:99999:7:::`);
  await chmod(join(dir, 'shadow'), 0o600);
  const script = join(dir, 'namespace.sh');
  await writeFile(
    script,
    `set -e\nfor f in passwd group shadow; do mount --bind ${dir}/$f /etc/$f; done\n` +
      'mount -t tmpfs tmpfs /run\nmkdir /run/sshd\nexec "$@"\n',
  );
  return script;
}

async function listens(port: number): Promise<boolean> {
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

/** A port that takes connections and never says a word. */
export async function openSilence(): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer((socket) => void socket.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const found = server.address();
  if (found === null || typeof found === 'string') throw new Error('no port');
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  return {
    port: found.port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
