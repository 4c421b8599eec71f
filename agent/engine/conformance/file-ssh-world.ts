// The world of engines that reach a directory by ssh.
import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { createServer } from 'node:net';
import { isRoot, openTestPlace } from './file-place.ts';
import { openSilence, openSshd, USER } from './file-sshd.ts';
import type { Declared, FileWorld } from './file-stage.ts';

/** by: what proves us, and how the server is pinned. */
export async function openSshWorld(by: 'key' | 'password', extra: Record<string, string> = {}): Promise<FileWorld> {
  // First: sshd sees what was mounted before it.
  const place = await openTestPlace('ssh', isRoot ? USER : undefined);
  const sshd = await openSshd();
  const silence = await openSilence();
  await chmod(place.path, 0o755);
  const secrets: Record<string, string> = by === 'key' ? { key: sshd.key } : { password: sshd.password ?? '' };
  const settings: Record<string, string> = {
    ...{ host: '127.0.0.1', port: String(sshd.port), user: sshd.user, path: place.path, ...extra },
    // One by the key itself, one by its fingerprint.
    'host-key': by === 'key' ? sshd.hostKey : sshd.fingerprint,
  };
  const with_ = (patch: Record<string, string>): Declared => ({ settings: { ...settings, ...patch }, secrets });
  return {
    ...place,
    declared: { settings, secrets },
    strange: { settings, secrets: by === 'key' ? { key: sshd.otherKey } : { password: 'another-password' } },
    otherHost: with_({
      'host-key':
        by === 'key'
          ? 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
          : `SHA256:${'A'.repeat(43)}`,
    }),
    closed: with_({ port: String(await closedPort()) }),
    silent: with_({ port: String(silence.port) }),
    everything: () => place.files(),
    async close() {
      await sshd.close();
      await silence.close();
      await place.close();
    },
  };
}

export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const found = server.address();
  server.close();
  if (found === null || typeof found === 'string') throw new Error('no port');
  return found.port;
}
