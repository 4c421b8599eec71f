// The log directory of a site as web servers need it: they refuse to load a virtual host whose log they cannot open.
// Same modes and owners as agent/site/account.ts declares; this only makes what is missing.
import { join } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import type { Host } from '../../host/host.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import type { Change } from '../engine.ts';

export async function planSiteLogs(host: Host, layout: SiteLayout, site: string): Promise<readonly Change[]> {
  const { logs, user } = layout;
  const phpLog = join(logs, 'php.log');
  if ((await host.files.exists(logs)) && (await host.files.exists(phpLog))) return [];
  const run = async (): Promise<void> => {
    // Embedded hosts run everything as one user and need not know the site's.
    if (host.kind === 'systemd' && (await host.users.lookup(user)) === undefined) {
      throw new AegirError(
        'failed_precondition',
        `cannot make logs of ${site}: system user ${user} does not exist; prepare the site on this server first`,
      );
    }
    if (!(await host.files.exists(logs))) {
      await host.files.directory(logs, { mode: 0o750, owner: 'root', group: user });
    }
    // The site's user may not make files there, or it could have root open a link of its choice.
    if (!(await host.files.exists(phpLog))) {
      await host.files.write(phpLog, '', { mode: 0o640, owner: user, group: user });
    }
  };
  return [{ summary: `make logs of ${site} in ${logs}`, run }];
}

export async function planSiteLogsRemoval(host: Host, layout: SiteLayout, site: string): Promise<readonly Change[]> {
  if (!(await host.files.exists(layout.logs))) return [];
  return [{ summary: `remove logs of ${site} (${layout.logs})`, run: () => host.files.remove(layout.logs) }];
}
