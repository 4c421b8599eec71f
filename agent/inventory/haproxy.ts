// Detects HAProxy, which fronts of clusters are made of: a fact, since what sites bind to are the clusters.
import { versionOf } from '../host/version.ts';
import { type Detector, found } from './detector.ts';

export function createHaproxyDetector(): Detector {
  return {
    name: 'haproxy',
    async detect(host) {
      const daemon = await host.daemon('haproxy');
      if (daemon === undefined) return [];
      return [
        found({
          type: '',
          engine: 'haproxy',
          version: await versionOf(host, [daemon.program, '-v'], /version (\d+\.\d+\.\d+\S*)/),
          ports: [daemon.port, ...(daemon.tlsPort === undefined ? [] : [daemon.tlsPort])],
          configRoots: [daemon.includeDir],
          running: await daemon.isRunning(),
          socket: daemon.socket,
        }),
      ];
    },
  };
}
