// The record of a site that is made from a backup: where it goes, and what of the old one it has.
import { databaseName, databaseUser } from '../../shared/database-name.ts';
import { AegirError } from '../../shared/error.ts';
import { APPS } from '../../shared/vocabulary.ts';
import { freshUid } from '../graph/cluster-rules.ts';
import type { Graph } from '../graph/graph.ts';
import { requireSite, requireUsable } from '../graph/rules.ts';
import { spreadFor } from '../graph/spread.ts';
import type { PlatformRecord, SecretRecord, ServiceRecord, SiteRecord } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';

/** What a site that nobody knew before has of its own. */
export interface Fresh {
  readonly id: string;
  readonly password: SecretRecord;
  readonly salt: SecretRecord;
  readonly now: number;
}

/** Named, or the one that the site has or had. It runs the same app. */
export function platformFor(graph: Graph, backup: BackupRecord, ref: string): PlatformRecord {
  const had = graph.platforms.find(({ id }) => id === backup.site.platformId);
  const platform = ref === '' ? had : graph.platform(ref);
  if (platform === undefined) {
    throw new AegirError(
      'failed_precondition',
      `cannot restore ${backup.siteName} where it was: platform ${backup.site.platform} is not there any more; name one by --platform`,
    );
  }
  if (platform.app === backup.site.app) return platform;
  throw new AegirError(
    'failed_precondition',
    `cannot restore ${backup.siteName} on platform ${platform.name}: that runs ${platform.app || 'nothing yet'}, and the backup is of ${backup.site.app}`,
  );
}

/** Named, or the one that the site has or had, or the only one of its engine; undefined where the backup has no database. */
export function dbFor(graph: Graph, backup: BackupRecord, ref: string): ServiceRecord | undefined {
  const { dbEngine, dbServiceId } = backup.site;
  if (dbEngine === '') return undefined;
  const what = `the database of ${backup.siteName}`;
  if (ref !== '') return ofEngine(graph, graph.service(ref, 'db'), dbEngine, what);
  const had = graph.services.find(({ id }) => id === dbServiceId);
  if (had !== undefined) return ofEngine(graph, had, dbEngine, what);
  const same = graph.enabled('db').filter(({ engine }) => engine === dbEngine);
  const [only] = same;
  if (only !== undefined && same.length === 1) return only;
  const names = same.map((service) => graph.serviceName(service)).join(', ');
  throw new AegirError(
    'failed_precondition',
    `cannot choose a db service for ${what}: ${same.length === 0 ? `none of engine ${dbEngine} is enabled` : `there are ${names}; name one by --db`}`,
  );
}

export function ofEngine(graph: Graph, service: ServiceRecord, engine: string, what: string): ServiceRecord {
  requireUsable(graph, service, 'db', what);
  if (service.engine === engine) return service;
  throw new AegirError(
    'failed_precondition',
    `cannot use ${graph.serviceName(service)} for ${what}: its dump is one of ${engine}`,
  );
}

/** Bound to nothing but the web server and the database; the caller says more. */
export function siteFromBackup(
  graph: Graph,
  backup: BackupRecord,
  name: string,
  platform: PlatformRecord,
  db: ServiceRecord | undefined,
  { id, password, salt, now }: Fresh,
  more: Partial<SiteRecord>,
): { readonly site: SiteRecord; readonly secrets: readonly SecretRecord[] } {
  const { title, locale, profile, adminName, adminMail, web, cronSeconds } = backup.site;
  const site: SiteRecord = {
    ...{ id, name, aliases: [], state: 'installing', platformId: platform.id, clientId: null },
    bindings: { http: platform.serviceId, ...(db === undefined ? {} : { db: db.id }) },
    ...{ title, locale, profile, adminName, adminMail, cronSeconds, createdAt: now },
    database: db === undefined ? '' : databaseName(id),
    dbUser: db === undefined ? '' : databaseUser(id),
    dbPasswordSecret: db === undefined ? null : password.id,
    saltSecret: salt.id,
    // A certificate of a person's own has a key that no backup has.
    web: { ...web, https: web.https === 'own' ? 'off' : web.https, redirectTo: '' },
    ...{ certificate: null, auth: null, snippet: null, issuing: null, moving: null },
    spread: spreadFor(graph, graph.service(platform.serviceId)),
    dnsByHand: false,
    proven: null,
    uid: freshUid(graph, graph.service(platform.serviceId)),
    ...more,
  };
  requireSite(graph, site);
  if (db === undefined && platform.app !== '' && APPS[platform.app].db === 'required') {
    throw new AegirError('failed_precondition', `cannot restore ${name}: the backup has no database`);
  }
  return { site, secrets: db === undefined ? [salt] : [salt, password] };
}
