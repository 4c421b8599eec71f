// Detects nats-server.
import { versionOf } from '../host/version.ts';
import { type Detector, found } from './detector.ts';
import { isRunning } from './running.ts';
import { existing, ports, settings } from './settings.ts';

const CONFIG = '/etc/nats-server.conf';

export function createNatsDetector(): Detector {
  return {
    name: 'nats',
    async detect(host) {
      const program = await host.which('nats-server');
      if (program === undefined) return [];
      const configured = await settings(host, [CONFIG], /^\s*port\s*[:=]\s*(\d+)/gm);
      return [
        found({
          type: '',
          engine: 'nats',
          version: await versionOf(host, [program, '--version'], /v?(\d+\.\d+\.\d+\S*)/),
          ports: ports(configured, 4222),
          configRoots: await existing(host, [CONFIG]),
          running: await isRunning('nats-server'),
        }),
      ];
    },
  };
}
