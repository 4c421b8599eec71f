// An sshd of our own on loopback with its own keys, for peers that copy over ssh. Needs root, as sshd does.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

export interface PrivateSshd {
  readonly pid: number;
  /** Arguments of ssh up to and with the host. */
  readonly ssh: readonly [string, ...string[]];
  /** Resolves when no session is left: their processors are counted then. */
  settled(): Promise<void>;
  close(): void;
}

export async function startPrivateSshd(dir: string): Promise<PrivateSshd> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  mkdirSync('/run/sshd', { recursive: true }); // sshd wants it for its unprivileged part
  const at = (name: string) => join(dir, name);
  for (const name of ['host', 'user']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  const port = await freePort();
  writeFileSync(at('authorized_keys'), readFileSync(at('user.pub')), { mode: 0o600 });
  writeFileSync(at('known_hosts'), `[127.0.0.1]:${port} ${readFileSync(at('host.pub'), 'utf8')}`);
  writeFileSync(
    at('sshd_config'),
    [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${at('host')}`,
      `AuthorizedKeysFile ${at('authorized_keys')}`,
      `PidFile ${at('sshd.pid')}`,
      'PasswordAuthentication no',
      'PermitRootLogin prohibit-password',
      'StrictModes no',
      'UsePAM no',
      '',
    ].join('\n'),
  );
  const child: ChildProcess = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', at('sshd_config')], { stdio: 'ignore' });
  await answers(port, child);
  const options = ['-o', `UserKnownHostsFile=${at('known_hosts')}`, '-o', 'BatchMode=yes', '-o', 'Compression=no'];
  return {
    pid: child.pid ?? 0,
    ssh: ['ssh', '-F', 'none', '-p', String(port), '-i', at('user'), ...options, 'root@127.0.0.1'],
    async settled() {
      const { pid } = child;
      while (readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8') !== '') {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    close: () => void child.kill('SIGTERM'),
  };
}

async function answers(port: number, child: ChildProcess): Promise<void> {
  for (const end = performance.now() + 10_000; performance.now() < end; ) {
    if (child.exitCode !== null) throw new Error('sshd ended at once; it needs root and the package openssh-server');
    const there = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('data', () => resolve(true)).once('error', () => resolve(false));
      socket.once('data', () => socket.destroy());
    });
    if (there) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('sshd does not answer');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
