// The verb that copies sites, as cases.ts has those of sites and servers.
import { createGraph, type GraphSnapshot } from '../../graph/graph.ts';
import { planCloneSite } from '../../plan/clone-site.ts';
import type { PlatformRecord, ServerRecord, ServiceRecord, SiteRecord } from '../../store/model.ts';
import type { BackupCase } from './backup-cases.ts';

const NO_SIZES = { fileBytes: null, databaseBytes: null, knownAt: null };

/** served: the world of the site in the snapshot. */
export function cloneCases(snapshot: GraphSnapshot, served: readonly string[]): readonly BackupCase[] {
  const [nginx, mariadb] = snapshot.services as [ServiceRecord, ServiceRecord];
  const [web1] = snapshot.servers as [ServerRecord];
  const [platform] = snapshot.platforms as [PlatformRecord];
  const [original] = snapshot.sites as [SiteRecord];
  const site: SiteRecord = {
    ...original,
    auth: { realm: 'Staff', users: [{ name: 'anne', secret: 'sec-0123456789abcde5' }] },
  };
  const web2: ServerRecord = { ...web1, id: 'srv-0123456789abcdw2', name: 'web2' };
  const other: ServiceRecord = { ...nginx, id: 'svc-0123456789abcdw2', serverId: web2.id };
  const base: GraphSnapshot = {
    ...snapshot,
    servers: [...snapshot.servers, web2],
    services: [...snapshot.services, other],
    platforms: [
      platform,
      {
        ...{ ...platform, id: 'plat-0123456789abcdw2', name: 'newer', serviceId: other.id },
        facts: {
          app: 'wordpress',
          version: '9.0',
          docroot: platform.root,
          phpMinimum: '',
          profiles: [],
          languages: [],
        },
      },
    ],
    sites: [site],
  };
  const copyOn = (platformId: string, http: string, patch: Partial<SiteRecord> = {}): SiteRecord => ({
    ...{ ...site, id: 'site-0123456789abcdz2', name: 'copy.example.org', aliases: [], state: 'installing', platformId },
    ...{ dbPasswordSecret: 'sec-0123456789abcdz3', saltSecret: 'sec-0123456789abcdz4' },
    ...{ database: 'site_0123456789abcdz2', dbUser: 's_0123456789abcdz2' },
    bindings: { http, db: mariadb.id },
    auth: { realm: 'Staff', users: [{ name: 'anne', secret: 'sec-0123456789abcdz5' }] },
    ...patch,
  });
  const words = (word: string, id: string, serverId: string, database = word) => [
    `${serverId} files of site/${id} ${word}`,
    `${mariadb.serverId} database of site/${id} ${database}`,
  ];
  const now = [...served, ...words('live', site.id, nginx.serverId)].sort();
  const one = (name: string, copy: SiteRecord, serverId: string, done: Partial<SiteRecord> = {}): BackupCase => {
    const withCopy = (patch: Partial<SiteRecord>): GraphSnapshot => ({ ...base, sites: [site, { ...copy, ...patch }] });
    // The other platform has another version: the database was brought to it.
    const database = serverId === nginx.serverId ? 'live' : 'upgraded';
    const copied = [
      ...[`${mariadb.serverId} db site/${copy.id}`, `${serverId} files site/${copy.id}`],
      ...[`${serverId} http site/${copy.id} enabled, cron 900`, ...words('live', copy.id, serverId, database)],
    ];
    return {
      ...{ name, plan: planCloneSite(createGraph(withCopy({})), site, copy, NO_SIZES), kept: {} },
      ...{ ground: withCopy({}), done: withCopy({ state: 'enabled', ...done }), undone: base },
      ...{ world: now, doneWorld: [...now, ...copied].sort() },
    };
  };
  const https: SiteRecord['web'] = { ...site.web, https: 'self-signed', redirect: true };
  const made = {
    ...{ source: 'self-signed' as const, names: ['copy.example.org'], notBefore: 0, notAfter: Number.MAX_SAFE_INTEGER },
    ...{ issuer: 'itself', chainPem: 'x', keySecret: 'sec-9999999999999999' },
  };
  return [
    one('site clone', copyOn(platform.id, nginx.id), nginx.serverId),
    one(
      'site clone to another server, over HTTPS',
      copyOn('plat-0123456789abcdw2', other.id, { web: https }),
      web2.id,
      { certificate: made },
    ),
  ];
}
