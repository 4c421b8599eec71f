import { describe } from 'vitest';
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

describe.runIf(isRoot)('with a password', { tags: ['deep'] }, () => {
  describeFileEngine({ ...subject, by: 'by password', openWorld: () => openSshWorld('password') });
});
if (!isRoot) console.warn('SKIPPED: sftp by password (only root may run an sshd that knows passwords)');
