// Where a site's things lie on its web server: pure, used by http engines and apps alike.
//
//   <sites>/<site-id>/             0711 root   traversable, not listable
//     docroot/                     0755 root   what the web server's root is (unless the app uses the platform's)
//     config/                      0750 root:<site user>   settings, files in it 0440
//     files/                       2750 <site user>:<web user>   public uploads; the web server reads through its group
//     tls/                         0700 root   certificates and keys, named by their fingerprint
//     auth/                        0750 root:<web user>   who may see the site, by name and hash, files in it 0640
//     tmp/                         2700 <site user>:<web user>   uploads begin here, and are moved to files with their group
//     private/ sessions/           0700 <site user>
//   <shared>/<site-id>/            0711 root   instead of those above, where several web servers share them:
//     files/ private/
//   <logs>/<site-id>/access.log error.log php.log
//   <run>/<site-id>.sock           0660 <web user>   the pool's socket
//   <run>/<site-id>.gate           0600 <web user>   the gate's socket, while the site has a gate (agent/gate)
import { join } from 'node:path';
import { idBody } from '../../shared/id.ts';
import type { HostPaths } from './host.ts';

export interface SiteLayout {
  readonly user: string;
  readonly root: string;
  readonly docroot: string;
  readonly config: string;
  readonly files: string;
  readonly tls: string;
  readonly auth: string;
  readonly private: string;
  readonly tmp: string;
  readonly sessions: string;
  /** Directory of what several web servers share; '' where the site has one. */
  readonly shared: string;
  readonly logs: string;
  readonly socket: string;
  readonly gate: string;
}

/** sharedRoot: where this server sees the directory that all web servers of the site share; '' when there is one. */
export function siteLayout(
  paths: Pick<HostPaths, 'sites' | 'logs' | 'run'>,
  siteId: string,
  sharedRoot = '',
): SiteLayout {
  const root = join(paths.sites, siteId);
  const shared = sharedRoot === '' ? '' : join(sharedRoot, siteId);
  const kept = shared === '' ? root : shared;
  return {
    user: siteUser(siteId),
    root,
    docroot: join(root, 'docroot'),
    config: join(root, 'config'),
    files: join(kept, 'files'),
    tls: join(root, 'tls'),
    auth: join(root, 'auth'),
    private: join(kept, 'private'),
    tmp: join(root, 'tmp'),
    sessions: join(root, 'sessions'),
    shared,
    logs: join(paths.logs, siteId),
    socket: join(paths.run, `${idBody(siteId)}.sock`),
    gate: join(paths.run, `${idBody(siteId)}.gate`),
  };
}

/** System user of a site: 23 characters, within the 32 that Linux allows. */
export function siteUser(siteId: string): string {
  return `aegir-${idBody(siteId)}`;
}
