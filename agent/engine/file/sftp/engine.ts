// The engine file/sftp: a directory on any server that lets us in by sftp; the account needs no shell.
import { createFileEngine, type FileEngine } from '../file-engine.ts';
import { openRemote } from '../remote-carrier.ts';
import type { OpenScratch } from '../scratch.ts';
import { checkKeys, remoteDirectoryOf } from '../settings.ts';
import { openSsh, SSH_SECRETS, SSH_SETTINGS, sshSettings } from '../ssh.ts';
import { createSftpWay } from './way.ts';

/** Settings: host, port (default 22), user, path, host-key. Secrets: key (private, without passphrase) or password. */
export function createSftpEngine(openScratch: OpenScratch): FileEngine {
  return createFileEngine({
    name: 'sftp',
    // Its server may be anywhere: people declare it.
    detect: async () => [],
    judge(service) {
      checkKeys(service, { settings: [...SSH_SETTINGS, 'path'], secrets: SSH_SECRETS });
      sshSettings(service);
      remoteDirectoryOf(service);
    },
    async open(service, { host, signal }) {
      const scratch = await openScratch(host, signal);
      try {
        const ssh = await openSsh(sshSettings(service), scratch);
        return await openRemote(ssh, createSftpWay(ssh, remoteDirectoryOf(service), scratch), scratch);
      } catch (thrown) {
        await scratch.remove();
        throw thrown;
      }
    },
  });
}
