// The modules that our configuration needs, enabled as Debian's a2enmod does it: links in mods-enabled. Systemd hosts
// only; an embedded Apache has its modules from the start.
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import type { Change } from '../../engine.ts';

const MODULES = ['alias', 'authz_core', 'headers', 'mime', 'proxy', 'proxy_fcgi', 'remoteip', 'rewrite'] as const;
const FOR_TLS = ['setenvif', 'socache_shmcb', 'ssl'] as const;
const FOR_FORWARDING = ['proxy_http'] as const;
const FOR_PASSWORDS = ['auth_basic', 'authn_core', 'authn_file', 'authz_user'] as const;

export interface Needs {
  readonly tls: boolean;
  readonly passwords: boolean;
  /** Requests go on to another server. */
  readonly forwards: boolean;
}

export function modulesFor(needs: Needs): readonly string[] {
  return [
    ...MODULES,
    ...(needs.tls ? FOR_TLS : []),
    ...(needs.passwords ? FOR_PASSWORDS : []),
    ...(needs.forwards ? FOR_FORWARDING : []),
  ];
}

/** They come into force with the reload that follows in the same plan: nothing of ours is loaded without them. */
export async function planModules(host: Host, daemon: Daemon, needs: Needs): Promise<readonly Change[]> {
  if (host.kind !== 'systemd') return [];
  const root = dirname(daemon.includeDir);
  const changes: Change[] = [];
  for (const name of modulesFor(needs)) {
    // A module that is loaded without its configuration is so by somebody's will.
    if (await isThere(host, join(root, 'mods-enabled', `${name}.load`))) continue;
    if (!(await host.files.exists(join(root, 'mods-available', `${name}.load`)))) {
      throw new AegirError(
        'failed_precondition',
        `cannot enable module ${name} of Apache: ${join(root, 'mods-available', `${name}.load`)} is missing; reinstall apache2`,
      );
    }
    if (name === 'ssl' && daemon.tlsPort !== undefined && (await somebodyListens(daemon.tlsPort))) {
      throw new AegirError(
        'failed_precondition',
        `cannot enable module ssl of Apache: another program listens on port ${daemon.tlsPort} of this server, and Apache ` +
          `would end; stop that program first`,
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

/** On this host. Without mod_ssl it is not Apache. */
function somebodyListens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 2_000 });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}
