// What must always hold in the graph. Each rule throws failed_precondition or already_exists and says what to do.
import { AegirError } from '../../shared/error.ts';
import { APPS, type AppName, canUseDb, enginesFor, type ServiceType } from '../../shared/vocabulary.ts';
import { withArticle } from '../../shared/words.ts';
import type { PlatformRecord, ServiceRecord, SiteRecord } from '../store/model.ts';
import { firstWebServer } from './cluster-rules.ts';
import { type Graph, isCluster } from './graph.ts';
import { onlyOne } from './only-one.ts';
import { requireFreeRecords } from './zone-rules.ts';

/** A binding names an enabled service of the right type on an accepted server. */
export function requireUsable(graph: Graph, service: ServiceRecord, type: ServiceType, what: string): void {
  const name = graph.serviceName(service);
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot use ${name} for ${what}: ${why}`);
  };
  if (service.type !== type)
    refuse(
      `it is ${service.type === '' ? 'no service' : `${withArticle(service.type)} service`}, and ${type} is needed`,
    );
  const server = graph.server(service.serverId);
  if (server.state === 'pending') refuse(`its server is not accepted; run: aegir server accept ${server.name}`);
  if (server.state === 'revoked') refuse('its server is revoked');
  if (service.state === 'missing')
    refuse(`it was not found on its server any more; run: aegir server verify ${server.name}`);
  if (service.state !== 'enabled') refuse(`it is ${service.state}; run: aegir service enable ${name}`);
}

/** A site of the app can have its database there. */
export function requireFittingDb(graph: Graph, service: ServiceRecord, app: AppName, what: string): void {
  if (canUseDb(app, service.engine)) return;
  throw new AegirError(
    'failed_precondition',
    `cannot use ${graph.serviceName(service)} for ${what}: ${app} cannot use ${service.engine}; it needs ${enginesFor(app)}`,
  );
}

/** The db service for a site of the app: as chooseService, among those that the app can use. */
export function chooseDb(graph: Graph, ref: string, app: AppName, what: string): ServiceRecord {
  if (ref === '') {
    const fitting = graph.enabled('db').filter(({ engine }) => canUseDb(app, engine));
    if (fitting.length === 0 && graph.enabled('db').length > 0) {
      throw new AegirError(
        'failed_precondition',
        `cannot choose a db service for ${what}: ${app} needs ${enginesFor(app)}, and none is enabled; see: aegir service list`,
      );
    }
    return onlyOne(graph, fitting, { type: 'db', what, how: 'by --db' });
  }
  const service = chooseService(graph, ref, 'db', what);
  requireFittingDb(graph, service, app, what);
  return service;
}

/**
 * The service that a reference names, or, when it is empty, the only enabled one of the type. With several and no
 * reference it throws and lists them.
 */
export function chooseService(graph: Graph, ref: string, type: ServiceType, what: string): ServiceRecord {
  if (ref !== '') {
    const service = graph.service(ref, type);
    requireUsable(graph, service, type, what);
    return service;
  }
  return onlyOne(graph, graph.enabled(type), { type, what });
}

/** No host name is used twice, neither inside the site nor by another one. */
export function requireFreeNames(graph: Graph, site: Pick<SiteRecord, 'id' | 'name' | 'aliases'>): void {
  const wanted = [site.name, ...site.aliases];
  const twice = wanted.find((name, index) => wanted.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new AegirError('invalid_argument', `cannot use the name ${twice} twice for one site`);
  }
  for (const other of graph.sites) {
    if (other.id === site.id) continue;
    const taken = [other.name, ...other.aliases].find((name) => wanted.includes(name));
    if (taken === undefined) continue;
    throw new AegirError(
      'already_exists',
      `cannot use the name ${taken}: site ${other.name} has it (${other.state}); choose another one, or delete that site`,
    );
  }
}

/** The platform can carry sites, and the site has what its app needs. */
export function requireSite(graph: Graph, site: SiteRecord): void {
  const platform = graph.platform(site.platformId);
  if (platform.state !== 'verified' || platform.app === '') {
    throw new AegirError(
      'failed_precondition',
      `cannot install on platform ${platform.name}: it is ${platform.state}; run: aegir platform verify ${platform.name}`,
    );
  }
  requireFreeNames(graph, site);
  requireFreeRecords(graph, [site.name, ...site.aliases]);
  requireUsable(graph, graph.service(site.bindings.http), 'http', `site ${site.name}`);
  if (site.bindings.http !== platform.serviceId) {
    throw new AegirError('failed_precondition', `cannot install ${site.name}: its http service is not its platform's`);
  }
  const http = graph.service(site.bindings.http);
  if (isCluster(http)) {
    firstWebServer(graph, http);
  }
  if (site.bindings.db !== undefined) {
    const db = graph.service(site.bindings.db);
    requireUsable(graph, db, 'db', `site ${site.name}`);
    requireFittingDb(graph, db, platform.app, `site ${site.name}`);
  } else if (APPS[platform.app].db === 'required') {
    throw new AegirError('failed_precondition', `cannot install ${site.name}: ${platform.app} needs a db service`);
  }
  if (site.bindings.dns !== undefined)
    requireUsable(graph, graph.service(site.bindings.dns), 'dns', `site ${site.name}`);
}

/** A service in use stays enabled. */
export function requireUnused(graph: Graph, service: ServiceRecord): void {
  const sites = graph.sitesOnService(service.id).map((site) => `site ${site.name}`);
  const platforms = graph.platformsOnService(service.id).map((platform) => `platform ${platform.name}`);
  const zones = graph.zonesOnService(service.id).map((zone) => `zone ${zone.name}`);
  const clusters = graph.heads
    .filter((head) => head.serviceId === service.id)
    .map((head) => `cluster ${graph.service(head.clusterId).instance}`);
  const users = [...clusters, ...platforms, ...zones, ...sites];
  if (users.length === 0) return;
  const shown = users.slice(0, 5).join(', ') + (users.length > 5 ? ` and ${users.length - 5} more` : '');
  throw new AegirError(
    'failed_precondition',
    `cannot take ${graph.serviceName(service)} out of use: ${shown} bind to it`,
  );
}

export function requireEmptyPlatform(graph: Graph, platform: PlatformRecord): void {
  const sites = graph.sitesOnPlatform(platform.id);
  if (sites.length === 0) return;
  throw new AegirError(
    'failed_precondition',
    `cannot remove platform ${platform.name}: ${sites.length} ${sites.length === 1 ? 'site runs' : 'sites run'} on it (${sites
      .slice(0, 5)
      .map((site) => site.name)
      .join(', ')}); delete or migrate them first`,
  );
}
