// Reads the records around a site and opens its secrets, when a step runs or is previewed.
import { AegirError } from '../../shared/error.ts';
import type { ServiceRef } from '../../shared/gen/aegir/v1/spec.ts';
import type { Agents } from '../session/agents.ts';
import type { ServiceRecord, ZoneRecord } from '../store/model.ts';
import type { Store } from '../store/store.ts';
import type { CertificateTools } from './certificates.ts';
import { type SiteParts, serviceRef } from './spec.ts';
import type { GrantMaker } from './transfer.ts';

export interface HandlerDeps {
  readonly store: Store;
  readonly agents: Agents;
  unseal(secretId: string, sealed: string): string;
  readonly certificates: CertificateTools;
  /** Leave to transfer an object; absent without a mesh. */
  readonly grant?: GrantMaker;
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

export async function readZone(store: Store, id: string): Promise<ZoneRecord> {
  return found(await store.zones.get(id), 'zone', id);
}

async function openSecret(deps: Pick<HandlerDeps, 'store' | 'unseal'>, id: string): Promise<string> {
  return deps.unseal(id, found(await deps.store.secrets.get(id), 'secret', id).sealed);
}

/** The service as agents are told of it, with what a person declared for its engine. */
export async function refOf(deps: Pick<HandlerDeps, 'store' | 'unseal'>, service: ServiceRecord): Promise<ServiceRef> {
  const secrets: Record<string, string> = {};
  for (const [key, id] of Object.entries(service.secrets)) secrets[key] = await openSecret(deps, id);
  return serviceRef(service, secrets);
}

export async function readParts(deps: HandlerDeps, siteId: string): Promise<SiteParts> {
  const { store } = deps;
  const site = found(await store.sites.get(siteId), 'site', siteId);
  const platform = found(await store.platforms.get(site.platformId), 'platform', site.platformId);
  const http = await readService(store, site.bindings.http);
  const web = await readServer(store, http.serverId);
  const open = (id: string) => openSecret(deps, id);
  const salt = await open(site.saltSecret);
  const tlsKey = site.certificate === null ? null : await open(site.certificate.keySecret);
  if (site.bindings.db === undefined || site.dbPasswordSecret === null)
    return { site, platform, http, web, db: null, salt, tlsKey };
  const service = await readService(store, site.bindings.db);
  const server = await readServer(store, service.serverId);
  return {
    site,
    platform,
    http,
    web,
    db: { service, server, password: await open(site.dbPasswordSecret) },
    salt,
    tlsKey,
  };
}
