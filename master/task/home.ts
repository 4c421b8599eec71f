// What no undo removes, whatever its plan says was there before: a site where its record says that it lives.
import { AegirError } from '../../shared/error.ts';
import { displayName } from '../../shared/name.ts';
import { isCluster } from '../graph/graph.ts';
import type { Store } from '../store/store.ts';
import { readServer, readService } from './parts.ts';

/** The place that is to be cleared of a site: a service, or all of a server. */
export type Cleared = { readonly serviceId: string } | { readonly serverId: string };

/** Throws failed_precondition where the site lives there: it is installed, and its bindings name the place. */
export async function requireNotHome(store: Store, siteId: string, cleared: Cleared): Promise<void> {
  const site = await store.sites.get(siteId);
  if (site === undefined || (site.state !== 'enabled' && site.state !== 'disabled')) return;
  const { http, db } = site.bindings;
  const named = 'serviceId' in cleared ? [http, db].find((id) => id === cleared.serviceId) : http;
  if (named === undefined) return;
  const service = await readService(store, named);
  // The front of a cluster has nothing of its sites, and which heads have is for the cluster's tasks.
  if (isCluster(service) || ('serverId' in cleared && service.serverId !== cleared.serverId)) return;
  const { name } = await readServer(store, service.serverId);
  throw new AegirError(
    'failed_precondition',
    `cannot take ${displayName(site.name)} off ${name} again: it lives there, as its record says`,
  );
}
