import { describe, expect, test } from 'vitest';
import { describeFileEngine } from '../../conformance/file.ts';
import { openGitHttpsWorld, openGitPathWorld, openGitSshWorld } from '../../conformance/file-repositories.ts';
import { openFileStage } from '../../conformance/file-stage.ts';
import { createScratches } from '../scratch.ts';
import { createGitEngine } from './engine.ts';

const subject = { name: 'git', createEngine: () => createGitEngine(createScratches()), prepares: false, sizes: false };
describeFileEngine({ ...subject, by: 'by path', openWorld: openGitPathWorld });
// By path it is the same but for who carries it there.
describe('from elsewhere', { tags: ['deep'] }, () => {
  describeFileEngine({ ...subject, by: 'by ssh', openWorld: openGitSshWorld });
  describeFileEngine({ ...subject, by: 'by https', openWorld: openGitHttpsWorld });
});

test('a certificate that nobody vouches for is not taken, and no password is sent there', async () => {
  const stage = await openFileStage({ ...subject, openWorld: openGitHttpsWorld });
  try {
    const { ca: _, ...secrets } = stage.service.secrets;
    const refused = stage.open({ ...stage.service, secrets });
    await expect(refused).rejects.toThrow(/a certificate that no authority we trust vouches for.*--secret ca=FILE/);
  } finally {
    await stage.close();
  }
});
