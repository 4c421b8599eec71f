// Backups: list and read them.
import { AegirError } from '../../shared/error.ts';
import type {
  Backup,
  GetBackupRequest,
  ListBackupsRequest,
  ListBackupsResponse,
} from '../../shared/gen/aegir/v1/backup_admin.ts';
import type { Graph } from '../graph/graph.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import type { Tx } from '../store/store.ts';
import type { AdminDeps } from './deps.ts';
import { loadGraph } from './load.ts';
import { pageOf } from './page.ts';
import { siteRef } from './site-ref.ts';
import { backupsOf } from './site-restores.ts';
import { backupView } from './view-backup.ts';

/** So that the newest comes first in the order of texts. */
const LATEST = 9_999_999_999_999;

export async function listBackups(deps: AdminDeps, request: ListBackupsRequest): Promise<ListBackupsResponse> {
  const graph = await loadGraph(deps.store);
  const service = request.service === '' ? undefined : graph.service(request.service, 'file').id;
  const all = await deps.store.backups.find(service === undefined ? {} : { serviceId: service });
  const wanted = request.site === '' ? all : await ofSite(deps, graph, all, request.site);
  const page = pageOf(wanted, ({ id, takenAt }) => `${String(LATEST - takenAt).padStart(13, '0')} ${id}`, request);
  return { backups: page.items.map((backup) => backupView(graph, backup)), nextPageToken: page.nextPageToken };
}

/** Of a site that is there, by any of its names; of one that is gone by its id, or the name that it had. */
async function ofSite(
  deps: AdminDeps,
  graph: Graph,
  all: readonly BackupRecord[],
  named: string,
): Promise<readonly BackupRecord[]> {
  const ref = siteRef(named);
  const there = graph.sites.find(({ id, name, aliases }) => id === ref || name === ref || aliases.includes(ref));
  if (there !== undefined) return backupsOf(deps.store, graph, there, all);
  const gone = all.filter(({ siteId, siteName }) => siteId === ref || siteName === ref);
  if (gone.length === 0) graph.site(ref);
  return gone;
}

export async function getBackup(deps: AdminDeps, request: GetBackupRequest): Promise<Backup> {
  const backup = await findBackup(deps.store, request.backup);
  return backupView(await loadGraph(deps.store), backup);
}

export async function findBackup(store: Tx, id: string): Promise<BackupRecord> {
  const backup = await store.backups.get(id);
  if (backup !== undefined) return backup;
  throw new AegirError('not_found', `cannot find backup ${JSON.stringify(id.slice(0, 60))}; see: aegir backup list`);
}

/** Only one that is whole, as far as is known, can be read. */
export function requireReady(backup: BackupRecord, verb: string): void {
  if (backup.state === 'ready') return;
  const look = `then look at it anew: aegir backup verify ${backup.id}`;
  const told: Partial<Record<BackupRecord['state'], string>> = {
    damaged: `it is damaged (${backup.problem}); where that was mended, ${look}`,
    missing: `it was not in its store when that was looked into (${backup.problem}); once the store leads to it again, ${look}`,
  };
  const why = told[backup.state] ?? `it is ${backup.state}`;
  throw new AegirError('failed_precondition', `cannot ${verb} backup ${backup.id}: ${why}`);
}
