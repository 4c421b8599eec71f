// The record of a backup that is to be made, and what is known beforehand.
import { AegirError } from '../../shared/error.ts';
import type { Graph } from '../graph/graph.ts';
import { siteUrl } from '../graph/site-url.ts';
import type { ServiceRecord, SiteRecord } from '../store/model.ts';
import type { BackedUpSite, BackupReason, BackupRecord } from '../store/model-backup.ts';
import type { AdminDeps } from './deps.ts';

/** Everything about backups goes over the mesh, also on one server: by it agents know what they may give and take. */
export function requireMesh(deps: AdminDeps): void {
  if (deps.facts.meshState() !== 'off') return;
  throw new AegirError(
    'failed_precondition',
    'cannot make or read backups: this master has no mesh; set listen.mesh in its configuration',
  );
}

export function newBackup(
  graph: Graph,
  site: SiteRecord,
  made: { id: string; store: ServiceRecord; reason: BackupReason; taskId: string; takenAt: number },
): BackupRecord {
  return {
    ...{ id: made.id, siteId: site.id, siteName: site.name, serviceId: made.store.id, state: 'making' },
    ...{ reason: made.reason, note: '', taskId: made.taskId, takenAt: made.takenAt },
    ...{ bytes: 0, newBytes: 0, storedBytes: 0, chunks: 0, digest: '', parts: [], site: backedUpSite(graph, site) },
    ...{ verifiedAt: null, triedAt: null, provenAt: null, provenMillis: 0, problem: '', keep: false },
  };
}

function backedUpSite(graph: Graph, site: SiteRecord): BackedUpSite {
  const { aliases, title, locale, profile, adminName, adminMail, web, cronSeconds, clientId, bindings } = site;
  const platform = graph.platform(site.platformId);
  return {
    ...{ aliases, title, locale, profile, adminName, adminMail, web, cronSeconds, clientId },
    url: siteUrl(site, graph.service(bindings.http)),
    app: platform.app,
    appVersion: platform.facts?.version ?? '',
    platformId: platform.id,
    platform: platform.name,
    dbServiceId: bindings.db ?? '',
    dbEngine: bindings.db === undefined ? '' : graph.service(bindings.db).engine,
    dnsServiceId: bindings.dns ?? '',
    closed: site.auth !== null,
    state: site.state === 'disabled' ? 'disabled' : 'enabled',
    snippet: site.snippet,
  };
}
