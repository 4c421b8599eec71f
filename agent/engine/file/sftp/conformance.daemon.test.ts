import { describeFileEngine } from '../../conformance/file.ts';
import { isRoot } from '../../conformance/file-place.ts';
import { openSshWorld } from '../../conformance/file-ssh-world.ts';
import { createScratches } from '../scratch.ts';
import { createSftpEngine } from './engine.ts';

const subject = {
  name: 'sftp',
  createEngine: () => createSftpEngine(createScratches()),
  prepares: false,
  sizes: true,
  sweeps: true,
};
describeFileEngine({ ...subject, by: 'by key', openWorld: () => openSshWorld('key') });

if (isRoot) describeFileEngine({ ...subject, by: 'by password', openWorld: () => openSshWorld('password') });
else console.warn('SKIPPED: sftp by password (only root may run an sshd that knows passwords)');
