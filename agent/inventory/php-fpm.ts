// Detects PHP-FPM: one fact for each version.
import { versionOf } from '../host/version.ts';
import { type Detector, found } from './detector.ts';
import { existing } from './settings.ts';

export function createPhpFpmDetector(): Detector {
  return {
    name: 'php-fpm',
    async detect(host) {
      const services = [];
      for (const version of await host.phpVersions()) {
        const daemon = await host.daemon(`php-fpm@${version}`);
        if (daemon === undefined) continue;
        services.push(
          found({
            type: '',
            engine: 'php-fpm',
            instance: version,
            version: (await versionOf(host, [daemon.program, '-v'], /PHP (\d+\.\d+\.\d+\S*)/)) || version,
            configRoots: await existing(host, [`/etc/php/${version}/fpm`]),
            running: await daemon.isRunning(),
          }),
        );
      }
      return services;
    },
  };
}
