// What a server that is to be removed is still used for, and what goes with one that is gone for good.
import { displayName } from '../../shared/name.ts';
import { counted } from '../../shared/words.ts';
import type { PlatformRecord, ServerRecord, ServiceRecord, SiteRecord, ZoneRecord } from '../store/model.ts';
import { type BackupPolicyRecord, type BackupRecord, DEFAULT_POLICY } from '../store/model-backup.ts';
import { type Graph, isCluster } from './graph.ts';

export interface ServerUses {
  /** Its services, facts among them. */
  readonly services: readonly ServiceRecord[];
  /** With their web server or their database there. */
  readonly sites: readonly SiteRecord[];
  /** With nothing but their dns or file service there. */
  readonly loosely: readonly SiteRecord[];
  readonly platforms: readonly PlatformRecord[];
  readonly zones: readonly ZoneRecord[];
  readonly backups: readonly BackupRecord[];
  /** That keep backups there. */
  readonly policies: readonly BackupPolicyRecord[];
  /** That try backups there: any server does. */
  readonly drills: readonly BackupPolicyRecord[];
}

export function usesOf(
  graph: Graph,
  server: ServerRecord,
  backups: readonly BackupRecord[],
  policies: readonly BackupPolicyRecord[],
): ServerUses {
  const services = graph.servicesOf(server.id);
  const here = new Set(services.map(({ id }) => id));
  const lies = ({ bindings }: SiteRecord) => here.has(bindings.http) || here.has(bindings.db ?? '');
  return {
    services,
    sites: graph.sites.filter(lies),
    loosely: graph.sites.filter((site) => !lies(site) && Object.values(site.bindings).some((id) => here.has(id))),
    platforms: graph.platforms.filter(({ serviceId }) => here.has(serviceId)),
    zones: graph.zones.filter(({ serviceId }) => here.has(serviceId)),
    backups: backups.filter(({ serviceId }) => here.has(serviceId)),
    policies: policies.filter(({ serviceId }) => serviceId !== null && here.has(serviceId)),
    drills: policies.filter(({ drillServerId }) => drillServerId === server.id),
  };
}

/** What keeps it from being removed, each with what to do; abandoned: only what would harm others. */
export function obstacles(graph: Graph, server: ServerRecord, uses: ServerUses, abandoned: boolean): readonly string[] {
  const found: string[] = [];
  const tell = (names: readonly string[], what: string, todo: string) => {
    if (names.length > 0) found.push(`${what} ${some(names)} (${todo})`);
  };
  const serviceOf = (id: string) => graph.serviceName(graph.service(id));
  const here = new Set(uses.services.map(({ id }) => id));
  const heads = graph.heads.filter(({ serviceId }) => here.has(serviceId));
  for (const { clusterId, serviceId } of heads) {
    const [cluster, name] = [graph.service(clusterId).instance, serviceOf(serviceId)];
    const todo = `aegir cluster remove ${cluster} ${name}${abandoned ? ' --abandoned' : ''}`;
    tell([name], `cluster ${cluster} leads visitors to`, todo);
  }
  // Their files are elsewhere, and whole.
  const behind = uses.sites.filter(({ bindings }) => isCluster(graph.service(bindings.http)));
  tell(names(behind), 'it leads visitors to', 'aegir site rebind NAME --front OTHER');
  if (abandoned) return found;
  const evacuate = `aegir server evacuate ${server.name} --to OTHER, or aegir site delete NAME`;
  tell(names(uses.sites.filter((site) => !behind.includes(site))), 'it carries', evacuate);
  tell(names(uses.loosely), 'services here are used by', 'aegir site rebind NAME --dns OTHER');
  tell(
    uses.platforms.map(({ name }) => name),
    'it has platform',
    'aegir platform remove NAME',
  );
  tell(names(uses.zones), 'it answers for zone', 'aegir zone remove NAME');
  for (const service of uses.services.filter(isCluster)) {
    tell([service.instance], 'it is the front of cluster', `aegir cluster delete ${service.instance}`);
  }
  for (const [id, backups] of Map.groupBy(uses.backups, ({ serviceId }) => serviceId)) {
    const name = serviceOf(id);
    found.push(`${name} keeps ${counted(backups.length, 'backup')} (aegir backup list --service ${name})`);
  }
  const named = uses.policies.map(({ id }) => (id === DEFAULT_POLICY ? 'all others' : siteName(graph, id)));
  tell(named, 'it keeps the backups of', 'aegir backup policy [SITE] --service OTHER');
  return found;
}

/** What is lost with a server that is gone for good, one line each. */
export function losses(graph: Graph, uses: ServerUses): readonly string[] {
  const nameOf = (id: string | undefined) => (id === undefined ? '' : graph.serviceName(graph.service(id)));
  const here = new Set(uses.services.map(({ id }) => id));
  return [
    ...uses.sites.map(({ name, bindings }) => {
      const [web, db] = [here.has(bindings.http), here.has(bindings.db ?? '')];
      const rest = web && (db || bindings.db === undefined) ? '' : nameOf(web ? bindings.db : bindings.http);
      const stays = rest === '' ? '' : `; what it has on ${rest} stays there, and aegir server verify names it`;
      return `site ${displayName(name)} is forgotten${stays}`;
    }),
    ...uses.loosely.map(({ name }) => `site ${displayName(name)} has no dns service any more`),
    ...uses.platforms.map(({ name }) => `platform ${name} is forgotten`),
    ...uses.zones.map(
      ({ id, name }) => `zone ${displayName(name)} is forgotten, with ${counted(graph.recordsOf(id).length, 'record')}`,
    ),
    ...uses.backups.map(({ id, siteName }) => `backup ${id} of ${displayName(siteName)} is lost`),
    ...uses.policies.map(({ id }) =>
      id === DEFAULT_POLICY
        ? 'backups of sites without a policy have no place'
        : `backups of ${siteName(graph, id)} have no place`,
    ),
  ];
}

/** What of a server that is revoked stays, and can't be managed any more; one line each. */
export function stranded(graph: Graph, uses: ServerUses): readonly string[] {
  const groups: readonly (readonly [string, readonly string[]])[] = [
    ['Its sites', names(uses.sites)],
    ['Its platforms', uses.platforms.map(({ name }) => name)],
    ['Its zones', names(uses.zones)],
  ];
  return [
    ...groups.flatMap(([what, all]) =>
      all.length === 0 ? [] : [`${what} stay, and can't be managed any more: ${some(all)}.`],
    ),
    ...(uses.loosely.length === 0 ? [] : [`Its dns and file services are used by ${some(names(uses.loosely))}.`]),
    ...uses.services.flatMap(({ id }) => keptAt(graph, id, uses, "can't be read or removed any more")),
  ];
}

/** What a place for backups is used for, one line each. then: what becomes of the backups. */
export function keptAt(
  graph: Graph,
  serviceId: string,
  uses: Pick<ServerUses, 'backups' | 'policies'>,
  then: string,
): readonly string[] {
  const name = graph.serviceName(graph.service(serviceId));
  const backups = uses.backups.filter((each) => each.serviceId === serviceId);
  const sites = [...new Set(backups.map(({ siteName }) => displayName(siteName)))];
  const policies = uses.policies
    .filter((each) => each.serviceId === serviceId)
    .map(({ id }) => (id === DEFAULT_POLICY ? 'sites without a policy of their own' : siteName(graph, id)));
  return [
    ...(backups.length === 0
      ? []
      : [`${name} keeps ${counted(backups.length, 'backup')} of ${some(sites)}, which ${then}.`]),
    ...(policies.length === 0
      ? []
      : [
          `The backups of ${some(policies)} go to ${name}: none is made until that changes (aegir backup policy [SITE] --service OTHER).`,
        ]),
  ];
}

const names = (records: readonly { readonly name: string }[]) => records.map(({ name }) => displayName(name));

function siteName(graph: Graph, id: string): string {
  const site = graph.sites.find((each) => each.id === id);
  return site === undefined ? id : displayName(site.name);
}

function some(all: readonly string[]): string {
  return all.slice(0, 5).join(', ') + (all.length > 5 ? ` and ${all.length - 5} more` : '');
}
