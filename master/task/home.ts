// What no undo removes, whatever its plan says was there before: a site where its record says that it lives.
import { AegirError } from '../../shared/error.ts';
import { displayName } from '../../shared/name.ts';
import type { Store } from '../store/store.ts';
import { readServer, readService } from './parts.ts';

/** The place that is to be cleared of a site: a service, or all of a server. */
export type Cleared = { readonly serviceId: string } | { readonly serverId: string };

/** Throws failed_precondition where the site lives there: it is installed, and its bindings name the place. */
export async function requireNotHome(store: Store, siteId: string, cleared: Cleared): Promise<void> {
  const site = await store.sites.get(siteId);
  if (site === undefined || (site.state !== 'enabled' && site.state !== 'disabled')) return;
  const { http, db } = site.bindings;
  let place: string;
  if ('serviceId' in cleared) {
    if (cleared.serviceId !== http && cleared.serviceId !== db) return;
    place = (await readServer(store, (await readService(store, cleared.serviceId)).serverId)).name;
  } else {
    const { engine, serverId } = await readService(store, http);
    // The front of a cluster has nothing of its sites, and which heads have is for the cluster's tasks.
    if (engine === 'cluster' || serverId !== cleared.serverId) return;
    place = (await readServer(store, serverId)).name;
  }
  throw new AegirError(
    'failed_precondition',
    `cannot take ${displayName(site.name)} off ${place} again: it lives there, as its record says`,
  );
}
