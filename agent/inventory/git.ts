// Detects git.
import { versionOf } from '../host/version.ts';
import { type Detector, found } from './detector.ts';
import { existing } from './settings.ts';

export function createGitDetector(): Detector {
  return {
    name: 'git',
    async detect(host) {
      const program = await host.which('git');
      if (program === undefined) return [];
      return [
        found({
          type: '',
          engine: 'git',
          version: await versionOf(host, [program, '--version'], /git version (\S+)/),
          configRoots: await existing(host, ['/etc/gitconfig']),
          running: true, // a program, not a daemon: being there is all
        }),
      ];
    },
  };
}
