// The modules that our configuration needs, enabled as Debian's a2enmod does it: links in mods-enabled. Systemd hosts
// only; an embedded Apache has its modules from the start.
import { dirname, join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import type { Change } from '../../engine.ts';

export const MODULES = [
  'alias',
  'authz_core',
  'headers',
  'mime',
  'proxy',
  'proxy_fcgi',
  'remoteip',
  'rewrite',
] as const;

/** They come into force with the reload that follows in the same plan: nothing of ours is loaded without them. */
export async function planModules(host: Host, daemon: Daemon): Promise<readonly Change[]> {
  if (host.kind !== 'systemd') return [];
  const root = dirname(daemon.includeDir);
  const changes: Change[] = [];
  for (const name of MODULES) {
    // A module that is loaded without its configuration is so by somebody's will.
    if (await isThere(host, join(root, 'mods-enabled', `${name}.load`))) continue;
    if (!(await host.files.exists(join(root, 'mods-available', `${name}.load`)))) {
      throw new AegirError(
        'failed_precondition',
        `cannot enable module ${name} of Apache: ${join(root, 'mods-available', `${name}.load`)} is missing; reinstall apache2`,
      );
    }
    // The module last: after a crash between the two it is enabled again with both.
    for (const file of [`${name}.conf`, `${name}.load`]) {
      const enabled = join(root, 'mods-enabled', file);
      if (!(await host.files.exists(join(root, 'mods-available', file))) || (await isThere(host, enabled))) continue;
      const target = join('..', 'mods-available', file);
      const run = (): Promise<void> => host.files.link(target, enabled);
      changes.push({ summary: `enable module ${name} of Apache (${enabled})`, run });
    }
  }
  return changes;
}

async function isThere(host: Host, path: string): Promise<boolean> {
  return (await host.files.exists(path)) || (await host.files.readLink(path)) !== undefined;
}
