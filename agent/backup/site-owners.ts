// Who is who on this host for a site's files, and where its trees lie.
import { join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import type { SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import type { Host } from '../host/host.ts';
import { siteLayout } from '../host/site-layout.ts';
import type { Tree } from './entry.ts';
import type { TreeRoot } from './take-files.ts';
import type { Owners } from './tree.ts';

export interface SitePlace {
  readonly trees: readonly TreeRoot[];
  readonly owners: Owners;
  /** What is known of the segments of its trees. */
  readonly cacheDir: string;
}

/** Throws failed_precondition when the site is not prepared here. */
export async function sitePlace(
  site: Pick<SiteSpec, 'id' | 'name' | 'sharedRoot'>,
  trees: readonly Tree[],
  host: Host,
): Promise<SitePlace> {
  const layout = siteLayout(host.paths, site.id, site.sharedRoot);
  const user = await host.users.lookup(layout.user);
  if (user === undefined) {
    throw new AegirError(
      'failed_precondition',
      `cannot reach the files of ${site.name}: it is not prepared on this server; verify the site`,
    );
  }
  return {
    trees: trees.map((tree) => ({ tree, path: layout[tree] })),
    owners: { siteUid: user.uid, siteGid: user.gid, webGid: (await webGroup(host)) ?? user.gid },
    cacheDir: join(segmentsDir(host), site.id),
  };
}

export function segmentsDir(host: Host): string {
  return join(host.paths.state, 'segments');
}

async function webGroup(host: Host): Promise<number | undefined> {
  // As site/account.ts: where there are more than one they run as the same user.
  for (const name of ['nginx', 'apache2'] as const) {
    const daemon = await host.daemon(name);
    if (daemon !== undefined) return (await host.users.lookup(daemon.user))?.gid;
  }
  return undefined;
}
