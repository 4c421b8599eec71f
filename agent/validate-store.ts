// Checks of what is asked of an agent with backups on its file services.
import type { OfferPartRequest, PartSource, StoreBackupRequest } from '../shared/gen/aegir/v1/backup.ts';
import type { ServiceRef } from '../shared/gen/aegir/v1/spec.ts';
import { hostName } from '../shared/name.ts';
import type { OfferOrder } from './backup/store/offers.ts';
import type { StoreBackupOrder } from './backup/store/store-backup.ts';
import { checkService, present, refuse } from './validate-spec.ts';

export interface StoreRequests {
  storeBackup: StoreBackupOrder;
  offerPart: OfferOrder;
}

const MAX_GRANT = 4096;
const SIGNATURE = 64; // Ed25519
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
  return { service, backupId: backupIdOf(request.backupId), manifest, takenAt, sources: sources.map(validSource) };
}

export function checkOfferPart(request: OfferPartRequest, serverId: string): OfferOrder {
  const part = present(request.part, 'part');
  if (!['manifest', 'database', 'files'].includes(part.part))
    refuse('part.part', 'is none of manifest, database, files');
  if (part.digest.length !== DIGEST) refuse('part.digest', `needs ${DIGEST} bytes`);
  if (part.firstChunk > MAX_CHUNKS || part.chunks > MAX_CHUNKS) refuse('part.chunks', 'are too many');
  return { service: fileService(request.service, serverId), backupId: backupIdOf(request.backupId), part };
}

/** What it says is checked when it is used, with the key of the day. */
function validSource(source: PartSource): StoreBackupOrder['sources'][number] {
  const grant = present(source.grant, 'sources.grant');
  if (grant.body.length === 0 || grant.body.length > MAX_GRANT) refuse('grant.body', `needs 1 to ${MAX_GRANT} bytes`);
  if (grant.signature.length !== SIGNATURE) refuse('grant.signature', `needs ${SIGNATURE} bytes`);
  hostName(source.senderName, 'sender_name');
  return { ...source, grant };
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
