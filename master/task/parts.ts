// Reads the records around a site and opens its secrets, when a step runs or is previewed.
import { AegirError } from '../../shared/error.ts';
import type { Agents } from '../session/agents.ts';
import type { ServiceRecord } from '../store/model.ts';
import type { Store } from '../store/store.ts';
import type { SiteParts } from './spec.ts';

export interface HandlerDeps {
  readonly store: Store;
  readonly agents: Agents;
  unseal(secretId: string, sealed: string): string;
  now(): number;
}

function found<R>(record: R | undefined, kind: string, id: string): R {
  if (record !== undefined) return record;
  throw new AegirError('failed_precondition', `cannot go on: ${kind} ${id} is not there any more`);
}

export async function readService(store: Store, id: string): Promise<ServiceRecord> {
  return found(await store.services.get(id), 'service', id);
}

export async function readServer(store: Store, id: string) {
  return found(await store.servers.get(id), 'server', id);
}

export async function readParts(deps: HandlerDeps, siteId: string): Promise<SiteParts> {
  const { store } = deps;
  const site = found(await store.sites.get(siteId), 'site', siteId);
  const platform = found(await store.platforms.get(site.platformId), 'platform', site.platformId);
  const http = await readService(store, site.bindings.http);
  const web = await readServer(store, http.serverId);
  const open = async (id: string) => deps.unseal(id, found(await store.secrets.get(id), 'secret', id).sealed);
  const salt = await open(site.saltSecret);
  if (site.bindings.db === undefined || site.dbPasswordSecret === null)
    return { site, platform, http, web, db: null, salt };
  const service = await readService(store, site.bindings.db);
  const server = await readServer(store, service.serverId);
  return { site, platform, http, web, db: { service, server, password: await open(site.dbPasswordSecret) }, salt };
}
