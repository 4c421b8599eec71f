// Reads the records around a site and opens its secrets, when a step runs or is previewed.
import { AegirError } from '../../shared/error.ts';
import type { HttpAuthSpec, ServiceRef } from '../../shared/gen/aegir/v1/spec.ts';
import type { Knocked } from '../../shared/knock.ts';
import { sharedRoot } from '../graph/cluster-rules.ts';
import { type Graph, isCluster } from '../graph/graph.ts';
import type { Place } from '../plan/plan.ts';
import type { Agents } from '../session/agents.ts';
import type { PlatformRecord, ServiceRecord, SiteAuth, ZoneRecord } from '../store/model.ts';
import type { Store } from '../store/store.ts';
import type { CertificateTools } from './certificates.ts';
import { placed, type SiteParts, serviceRef, type WebServer } from './spec.ts';
import type { GrantMaker } from './transfer.ts';

export interface HandlerDeps {
  readonly store: Store;
  readonly agents: Agents;
  unseal(secretId: string, sealed: string): string;
  readonly certificates: CertificateTools;
  /** Leave to transfer an object; absent without a mesh. */
  readonly grant?: GrantMaker;
  now(): number;
  /** As it is now. */
  graph(): Promise<Graph>;
  /** Whether the master itself reaches a port. */
  knock(address: string, port: number, signal: AbortSignal): Promise<Knocked>;
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

export async function openSecret(deps: Pick<HandlerDeps, 'store' | 'unseal'>, id: string): Promise<string> {
  return deps.unseal(id, found(await deps.store.secrets.get(id), 'secret', id).sealed);
}

/** The service as agents are told of it, with what a person declared for its engine. */
export async function refOf(deps: Pick<HandlerDeps, 'store' | 'unseal'>, service: ServiceRecord): Promise<ServiceRef> {
  const secrets: Record<string, string> = {};
  for (const [key, id] of Object.entries(service.secrets)) secrets[key] = await openSecret(deps, id);
  return serviceRef(service, secrets);
}

/**
 * place: as if it were there. withoutCode: for what needs nothing of the code there, such as taking it away: also where its
 * platform is forgotten.
 */
export async function readParts(
  deps: HandlerDeps,
  siteId: string,
  place?: Place,
  withoutCode = false,
): Promise<SiteParts> {
  const { store } = deps;
  const own = found(await store.sites.get(siteId), 'site', siteId);
  const site = placed(own, place);
  const there = await store.platforms.get(site.platformId);
  const platform = found(
    there ?? (withoutCode ? await forgotten(store, site.platformId, own.platformId) : undefined),
    ...(['platform', site.platformId] as const),
  );
  const http = await readService(store, site.bindings.http);
  const open = (id: string) => openSecret(deps, id);
  const salt = await open(site.saltSecret);
  const tlsKey = site.certificate === null ? null : await open(site.certificate.keySecret);
  const auth = site.auth === null ? null : await readAuth(open, site.auth);
  const login = site.auth === null ? null : await readLogin(open, site.auth);
  const common = { site, platform, http, ...(await readWebServers(store, http)), salt, tlsKey, auth, login };
  if (site.bindings.db === undefined || site.dbPasswordSecret === null) return { ...common, db: null };
  const service = await readService(store, site.bindings.db);
  const server = await readServer(store, service.serverId);
  return { ...common, db: { service, server, password: await open(site.dbPasswordSecret) } };
}

const NOWHERE = '/nonexistent';

/** In its stead: a move goes from one platform to another of the same app, and nothing is looked for in its code. */
async function forgotten(store: Store, id: string, ownId: string): Promise<PlatformRecord | undefined> {
  const own = await store.platforms.get(ownId);
  return own && { ...own, id, root: NOWHERE };
}

async function readAuth(open: (id: string) => Promise<string>, { realm, users }: SiteAuth): Promise<HttpAuthSpec> {
  const opened = users.map(async ({ name, secret }) => ({ name, passwordHash: await open(secret) }));
  return { realm, users: await Promise.all(opened) };
}

async function readLogin(
  open: (id: string) => Promise<string>,
  { probe, users }: SiteAuth,
): Promise<SiteParts['login']> {
  const [first] = users;
  return probe === undefined || first === undefined ? null : { user: first.name, password: await open(probe) };
}

async function readWebServers(store: Store, http: ServiceRecord): Promise<Pick<SiteParts, 'servers' | 'front'>> {
  const at = await readServer(store, http.serverId);
  if (!isCluster(http)) {
    return { servers: [{ service: http, server: at, sharedRoot: '', leaving: false }], front: null };
  }
  const servers: WebServer[] = [];
  for (const head of await store.heads.find({ clusterId: http.id })) {
    const service = await readService(store, head.serviceId);
    const server = await readServer(store, service.serverId);
    const root = sharedRoot(await store.services.find({ serverId: server.id }), http, server.id);
    servers.push({ service, server, sharedRoot: root ?? null, leaving: head.state === 'leaving' });
  }
  return { servers, front: at };
}
