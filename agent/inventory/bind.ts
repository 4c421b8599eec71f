// Detects BIND.
import { type Detector, found } from './detector.ts';
import { isRunning } from './running.ts';
import { existing } from './settings.ts';
import { versionOf } from './version.ts';

export function createBindDetector(): Detector {
  return {
    name: 'bind',
    async detect(host) {
      const program = await host.which('named');
      if (program === undefined) return [];
      return [
        found({
          type: 'dns',
          engine: 'bind',
          version: await versionOf(host, [program, '-v'], /BIND (\S+)/),
          ports: [53],
          configRoots: await existing(host, ['/etc/bind', '/etc/named.conf']),
          running: await isRunning('named'),
        }),
      ];
    },
  };
}
