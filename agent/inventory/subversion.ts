// Detects Subversion: the client, and whether svnserve runs.
import { versionOf } from '../host/version.ts';
import { type Detector, found } from './detector.ts';
import { isRunning } from './running.ts';
import { existing } from './settings.ts';

export function createSubversionDetector(): Detector {
  return {
    name: 'subversion',
    async detect(host) {
      const program = await host.which('svn');
      if (program === undefined) return [];
      const serves = await isRunning('svnserve');
      return [
        found({
          type: '',
          engine: 'subversion',
          version: await versionOf(host, [program, '--version', '--quiet'], /(\d+\.\d+\.\d+\S*)/),
          ports: serves ? [3690] : [],
          configRoots: await existing(host, ['/etc/subversion']),
          running: true, // a program, not a daemon: being there is all
          capabilities: serves ? ['svnserve'] : [],
        }),
      ];
    },
  };
}
