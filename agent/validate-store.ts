// Checks of what is asked of an agent with backups on its file services.
import type {
  CheckBackupRequest,
  ExportBackupRequest,
  FindBackupsRequest,
  OfferPartRequest,
  PruneStoreRequest,
  StoreBackupRequest,
} from '../shared/gen/aegir/v1/backup.ts';
import type { ServiceRef } from '../shared/gen/aegir/v1/spec.ts';
import type { CheckOrder } from './backup/store/check.ts';
import type { ExportOrder } from './backup/store/export.ts';
import type { FindOrder } from './backup/store/find.ts';
import type { OfferOrder } from './backup/store/offers.ts';
import type { PruneOrder } from './backup/store/prune.ts';
import type { StoreBackupOrder } from './backup/store/store-backup.ts';
import { validSource } from './validate-backup.ts';
import { checkService, present, refuse } from './validate-spec.ts';

export interface StoreRequests {
  storeBackup: StoreBackupOrder;
  offerPart: OfferOrder;
  pruneStore: PruneOrder;
  checkBackup: CheckOrder;
  exportBackup: ExportOrder;
  findBackups: FindOrder;
}

const MAX_BACKUPS = 1000;
const MAX_MANIFEST = 64 * 1024;
const DIGEST = 32;
/** Chunks of a backup: 4 PiB of them at most. */
const MAX_CHUNKS = 1n << 30n;

export function checkStoreBackup(request: StoreBackupRequest, serverId: string): StoreBackupOrder {
  const { manifest, sources } = request;
  const takenAt = present(request.takenAt, 'taken_at');
  if (!(takenAt.getTime() > 0)) refuse('taken_at', 'is no time');
  if (manifest.length === 0 || manifest.length > MAX_MANIFEST) refuse('manifest', `needs 1 to ${MAX_MANIFEST} bytes`);
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(manifest);
  } catch {
    refuse('manifest', 'is not UTF-8');
  }
  const names = sources.map(({ part }) => part).join();
  if (!['database,files', 'files', 'database'].includes(names)) {
    refuse('sources', 'must be database, files, or both in this order');
  }
  const service = fileService(request.service, serverId);
  return {
    service,
    backupId: backupIdOf(request.backupId),
    manifest,
    takenAt,
    sources: sources.map((source) => validSource(source)),
  };
}

export function checkOfferPart(request: OfferPartRequest, serverId: string): OfferOrder {
  const part = present(request.part, 'part');
  if (!['manifest', 'database', 'files'].includes(part.part))
    refuse('part.part', 'is none of manifest, database, files');
  if (part.digest.length !== DIGEST) refuse('part.digest', `needs ${DIGEST} bytes`);
  if (part.firstChunk > MAX_CHUNKS || part.chunks > MAX_CHUNKS) refuse('part.chunks', 'are too many');
  return { service: fileService(request.service, serverId), backupId: backupIdOf(request.backupId), part };
}

export function checkPruneStore({ service, backupIds, preview }: PruneStoreRequest, serverId: string): PruneOrder {
  if (backupIds.length > MAX_BACKUPS) refuse('backup_ids', `has more than ${MAX_BACKUPS} backups`);
  return { service: fileService(service, serverId), backupIds: backupIds.map(backupIdOf), preview };
}

export function checkFindBackups({ service, backupIds, beside }: FindBackupsRequest, serverId: string): FindOrder {
  if (backupIds.length > MAX_BACKUPS) refuse('backup_ids', `has more than ${MAX_BACKUPS} backups`);
  return { service: fileService(service, serverId), backupIds: backupIds.map(backupIdOf), beside };
}

export function checkCheckBackup(request: CheckBackupRequest, serverId: string): CheckOrder {
  const { backupId, digest, readAll } = request;
  if (digest.length !== DIGEST) refuse('digest', `needs ${DIGEST} bytes`);
  return { service: fileService(request.service, serverId), backupId: backupIdOf(backupId), digest, readAll };
}

export function checkExportBackup(request: ExportBackupRequest, serverId: string): ExportOrder {
  const { backupId, digest, uploadId } = request;
  if (digest.length !== DIGEST) refuse('digest', `needs ${DIGEST} bytes`);
  if (!/^[0-9a-f]{32}$/.test(uploadId)) refuse('upload_id', 'needs 32 hexadecimal digits');
  return { service: fileService(request.service, serverId), backupId: backupIdOf(backupId), digest, uploadId };
}

function backupIdOf(text: string): string {
  if (!/^bak-[0-9a-z]{16}$/.test(text)) refuse('backup_id', 'is none of the form bak-…');
  return text;
}

function fileService(service: ServiceRef | undefined, serverId: string): ServiceRef {
  const there = present(service, 'service');
  checkService(there, serverId);
  if (there.type !== 'file') refuse('service.type', 'must be file');
  return there;
}
