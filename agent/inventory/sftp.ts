// Detects OpenSSH's server with its sftp subsystem.
import { join } from 'node:path';
import { versionOf } from '../host/version.ts';
import { type Detector, found } from './detector.ts';
import { isRunning } from './running.ts';
import { existing, ports, settings } from './settings.ts';

const ROOT = '/etc/ssh';

export function createSftpDetector(): Detector {
  return {
    name: 'sftp',
    async detect(host) {
      const program = await host.which('sshd');
      if (program === undefined) return [];
      const parts = (await host.files.list(join(ROOT, 'sshd_config.d'))).filter((name) => name.endsWith('.conf'));
      const files = [join(ROOT, 'sshd_config'), ...parts.map((name) => join(ROOT, 'sshd_config.d', name))];
      const subsystem = await settings(host, files, /^\s*Subsystem\s+(sftp)\s/gim);
      return [
        found({
          type: '', // its own users' business; as a place for objects it is declared, with credentials
          engine: 'sftp',
          // Old sshd knows no option for its version: any unknown one makes it tell.
          version: await versionOf(host, [program, '-V'], /OpenSSH_([^\s,]+)/),
          ports: ports(await settings(host, files, /^\s*Port\s+(\d+)\s*$/gim), 22),
          configRoots: await existing(host, [ROOT]),
          running: await isRunning('sshd'),
          capabilities: subsystem.length > 0 ? ['sftp'] : [],
        }),
      ];
    },
  };
}
