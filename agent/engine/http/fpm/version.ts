// Which PHP a site gets: the one it asks for, else the newest that the host has. Pure.
import { AegirError } from '../../../../shared/error.ts';

/** versions as host.phpVersions answers them: newest first. */
export function choosePhp(wanted: string, versions: readonly string[], site: string): string {
  const [newest] = versions;
  if (newest === undefined) {
    throw new AegirError(
      'failed_precondition',
      `cannot serve ${site}: it needs PHP and this server has no PHP-FPM; install it (Debian: apt install php-fpm)`,
    );
  }
  if (wanted === '') return newest;
  if (versions.includes(wanted)) return wanted;
  throw new AegirError(
    'failed_precondition',
    `cannot serve ${site}: it wants PHP ${wanted} and this server has ${versions.join(', ')}; ` +
      `install php${wanted}-fpm or choose one that is there`,
  );
}
