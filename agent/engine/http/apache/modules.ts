// The modules that our configuration needs, enabled as Debian's a2enmod does it: links in mods-enabled. Systemd hosts
// only; an embedded Apache has its modules from the start.
import { dirname, join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import type { Change } from '../../engine.ts';

export const MODULES = ['alias', 'authz_core', 'headers', 'mime', 'proxy', 'proxy_fcgi', 'rewrite'] as const;

/** They come into force with the reload that follows in the same plan: nothing of ours is loaded without them. */
export async function planModules(host: Host, daemon: Daemon): Promise<readonly Change[]> {
  if (host.kind !== 'systemd') return [];
  const root = dirname(daemon.includeDir);
  const changes: Change[] = [];
  for (const name of MODULES) {
    for (const suffix of ['load', 'conf']) {
      const file = `${name}.${suffix}`;
      const enabled = join(root, 'mods-enabled', file);
      if ((await host.files.exists(enabled)) || (await host.files.readLink(enabled)) !== undefined) continue;
      if (!(await host.files.exists(join(root, 'mods-available', file)))) {
        if (suffix === 'conf') continue;
        throw new AegirError(
          'failed_precondition',
          `cannot enable module ${name} of Apache: ${join(root, 'mods-available', file)} is missing; reinstall apache2`,
        );
      }
      const target = join('..', 'mods-available', file);
      changes.push({
        summary: `enable module ${name} of Apache (${enabled})`,
        run: () => host.files.link(target, enabled),
      });
    }
  }
  return changes;
}
