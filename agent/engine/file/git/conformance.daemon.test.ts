import { describeFileEngine } from '../../conformance/file.ts';
import { openGitPathWorld, openGitSshWorld } from '../../conformance/file-repositories.ts';
import { createScratches } from '../scratch.ts';
import { createGitEngine } from './engine.ts';

const subject = { name: 'git', createEngine: () => createGitEngine(createScratches()), prepares: false, sizes: false };
describeFileEngine({ ...subject, by: 'by path', openWorld: openGitPathWorld });
describeFileEngine({ ...subject, by: 'by ssh', openWorld: openGitSshWorld });
