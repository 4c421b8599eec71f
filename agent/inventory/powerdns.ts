// Detects the PowerDNS authoritative server.
import { type Detector, found } from './detector.ts';
import { isRunning } from './running.ts';
import { existing, ports, settings } from './settings.ts';
import { versionOf } from './version.ts';

const ROOT = '/etc/powerdns';

export function createPowerdnsDetector(): Detector {
  return {
    name: 'powerdns',
    async detect(host) {
      const program = await host.which('pdns_server');
      if (program === undefined) return [];
      return [
        found({
          type: 'dns',
          engine: 'powerdns',
          version: await versionOf(host, [program, '--version'], /Authoritative Server (\S+)/),
          ports: ports(await settings(host, [`${ROOT}/pdns.conf`], /^\s*local-port\s*=\s*(\d+)/gm), 53),
          configRoots: await existing(host, [ROOT, '/etc/pdns']),
          running: await isRunning('pdns_server'),
        }),
      ];
    },
  };
}
