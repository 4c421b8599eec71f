// site.clone: a complete record of the copy, with secrets of its own, from the record of the site that is copied.
import { databaseName, databaseUser } from '../../shared/database-name.ts';
import { AegirError } from '../../shared/error.ts';
import type { ChangeResponse } from '../../shared/gen/aegir/v1/admin.ts';
import type { CloneSiteRequest } from '../../shared/gen/aegir/v1/move_admin.ts';
import { hostName } from '../../shared/name.ts';
import { APPS } from '../../shared/vocabulary.ts';
import { freshUid } from '../graph/cluster-rules.ts';
import { dnsThere } from '../graph/dns-along.ts';
import type { Graph } from '../graph/graph.ts';
import { requireFittingDb, requireSite, requireUsable } from '../graph/rules.ts';
import { spreadFor } from '../graph/spread.ts';
import { planCloneSite } from '../plan/clone-site.ts';
import type { PlatformRecord, ServiceRecord, SiteAuth, SiteRecord } from '../store/model.ts';
import type { Tx } from '../store/store.ts';
import { copiedAuth } from './backup-restore.ts';
import { change } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { chooseDns, makeSecret } from './install-site.ts';
import { loadGraph } from './load.ts';
import { findSite, requireState } from './site.ts';
import { sizesOf } from './site-sizes.ts';

export async function cloneSite(deps: AdminDeps, caller: Caller, request: CloneSiteRequest): Promise<ChangeResponse> {
  if (deps.facts.meshState() === 'off') {
    throw new AegirError(
      'failed_precondition',
      'cannot copy a site: this master has no mesh; set listen.mesh in its configuration',
    );
  }
  const name = hostName(request.newName, 'site name');
  // Read before, so that the decision is pure.
  const source = findSite(await loadGraph(deps.store), request.site);
  const auth = source.auth === null ? { auth: null, secrets: [] } : await copiedAuth(deps, source.auth);
  const sizes = await sizesOf(deps, source.id);
  const id = deps.newId('site');
  const [password, salt] = [makeSecret(deps), makeSecret(deps)];
  const createdAt = deps.now();
  const { options, ...asked } = request;

  return change(deps, caller, options, { method: 'site.clone', ...asked }, (graph) => {
    const site = graph.site(source.id);
    requireState(site, ['enabled', 'disabled'], 'copy');
    const platform = platformFor(graph, site, request.platform);
    const db = dbFor(graph, site, platform, request.db);
    const dns = dnsFor(graph, site, platform, name, request.dns);
    const { https } = site.web;
    const copy: SiteRecord = {
      ...site,
      ...{ id, name, aliases: [], state: 'installing', platformId: platform.id, createdAt },
      bindings: {
        http: platform.serviceId,
        ...(db === undefined ? {} : { db: db.id }),
        ...(dns === undefined ? {} : { dns: dns.id }),
      },
      clientId: request.client === '' ? site.clientId : graph.client(request.client).id,
      database: db === undefined ? '' : databaseName(id),
      dbUser: db === undefined ? '' : databaseUser(id),
      dbPasswordSecret: db === undefined ? null : password.id,
      saltSecret: salt.id,
      // A certificate of a person's own is for other names.
      web: {
        ...site.web,
        ...(https === 'own' ? { https: 'off', redirect: false, hstsSeconds: 0 } : {}),
        redirectTo: '',
      },
      ...{ certificate: null, auth: auth.auth, issuing: null, moving: null },
      spread: spreadFor(graph, graph.service(platform.serviceId)),
      dnsByHand: false,
      proven: null,
      uid: freshUid(graph, graph.service(platform.serviceId)),
    };
    requireSite(graph, copy);
    const secrets = [salt, ...(db === undefined ? [] : [password]), ...auth.secrets];
    return {
      plan: planCloneSite(graph, site, copy, sizes),
      draft: { site: copy, secrets },
      save: async (tx) => {
        await requireSameAuth(tx, site.id, source.auth);
        for (const secret of secrets) await tx.secrets.insert(secret);
        await tx.sites.insert(copy);
      },
    };
  });
}

/** Who may see a site that is closed is not to be taken from what it was a moment ago. */
async function requireSameAuth(tx: Tx, siteId: string, auth: SiteAuth | null): Promise<void> {
  const now = (await tx.sites.get(siteId))?.auth ?? null;
  if (JSON.stringify(now) === JSON.stringify(auth)) return;
  throw new AegirError('aborted', 'cannot copy the site: who may see it was changed meanwhile; try again', {
    retryable: true,
  });
}

function platformFor(graph: Graph, site: SiteRecord, ref: string): PlatformRecord {
  const here = graph.platform(site.platformId);
  const platform = ref === '' ? here : graph.platform(ref);
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot copy ${site.name}: ${why}`);
  };
  if (platform.state !== 'verified' || platform.app === '') {
    refuse(`platform ${platform.name} is ${platform.state}; run: aegir platform verify ${platform.name}`);
  }
  if (platform.app !== here.app) refuse(`it runs on ${here.app}, and platform ${platform.name} is ${platform.app}`);
  const http = graph.service(platform.serviceId);
  requireUsable(graph, http, 'http', `a copy of ${site.name}`);
  const engines = new Set(graph.webServersOf(http).map(({ engine }) => engine));
  if (site.snippet !== null && !engines.has(site.snippet.engine)) {
    refuse(
      `its snippet is in the words of ${site.snippet.engine}, and ${graph.serviceName(http)} is ${[...engines].join(' and ')}; take it away first`,
    );
  }
  if (site.web.https !== 'off' && site.web.https !== 'own' && http.detected.ports[1] === undefined) {
    refuse(`${graph.serviceName(http)} has no port for HTTPS`);
  }
  return platform;
}

/** Named; or on another server the one there that reads the site's dumps; or the site's own. */
function dbFor(graph: Graph, site: SiteRecord, platform: PlatformRecord, ref: string): ServiceRecord | undefined {
  const bound = site.bindings.db;
  if (bound === undefined) {
    if (ref === '') return undefined;
    throw new AegirError('invalid_argument', `cannot bind the copy to ${ref}: ${site.name} has no database`);
  }
  const own = graph.service(bound);
  const what = `a copy of ${site.name}`;
  const { serverId } = graph.service(platform.serviceId);
  const there = graph.enabled('db').filter((each) => each.serverId === serverId && each.engine === own.engine);
  const moves = graph.service(site.bindings.http).serverId !== serverId;
  const [only] = there;
  const service =
    ref !== '' ? graph.service(ref, 'db') : moves && only !== undefined && there.length === 1 ? only : own;
  requireUsable(graph, service, 'db', what);
  if (platform.app !== '' && APPS[platform.app].db !== 'none') requireFittingDb(graph, service, platform.app, what);
  if (service.engine === own.engine) return service;
  throw new AegirError(
    'failed_precondition',
    `cannot put the database of ${what} on ${graph.serviceName(service)}: it is on ${own.engine}, whose dumps ${service.engine} does not read`,
  );
}

/** Named; or the one whose zone holds the name; or the site's own, or what takes its place on another server. */
function dnsFor(
  graph: Graph,
  site: SiteRecord,
  platform: PlatformRecord,
  name: string,
  ref: string,
): ServiceRecord | undefined {
  if (ref !== '' || graph.zoneOf(name) !== undefined) return chooseDns(graph, ref, platform, name, []);
  const [left, there] = [site.bindings.http, platform.serviceId].map((id) => graph.service(id).serverId);
  const along = dnsThere(graph, site.bindings.dns, left ?? '', there ?? '')?.id ?? site.bindings.dns;
  return chooseDns(graph, along ?? '', platform, name, []);
}
