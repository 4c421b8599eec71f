// Detects the Apache web server.
import { type Detector, found } from './detector.ts';
import { isRunning } from './running.ts';
import { existing, ports, settings } from './settings.ts';
import { versionOf } from './version.ts';

const FILES = ['/etc/apache2/ports.conf', '/etc/apache2/apache2.conf', '/etc/httpd/conf/httpd.conf'];

export function createApacheDetector(): Detector {
  return {
    name: 'apache',
    async detect(host) {
      const program = (await host.which('apache2')) ?? (await host.which('httpd'));
      if (program === undefined) return [];
      return [
        found({
          type: 'http',
          engine: 'apache',
          version: await versionOf(host, [program, '-v'], /Apache\/(\S+)/),
          ports: ports(await settings(host, FILES, /^\s*Listen\s+(?:\S+:)?(\d+)\b/gim), 80),
          configRoots: await existing(host, ['/etc/apache2', '/etc/httpd']),
          running: await isRunning('apache2', 'httpd'),
        }),
      ];
    },
  };
}
