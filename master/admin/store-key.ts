// Keys that backups on a file service are encrypted with: made when a person asks for encryption, given out to read
// backups without this master.
import { AegirError } from '../../shared/error.ts';
import type { ExportStoreKeyRequest, ExportStoreKeyResponse } from '../../shared/gen/aegir/v1/backup_admin.ts';
import type { SecretRecord, ServiceRecord } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import type { AdminDeps } from './deps.ts';
import { loadGraph } from './load.ts';

/** The setting, and the secret with 64 hexadecimal digits. */
export const ENCRYPT = 'encrypt';
export const ENCRYPTION_KEY = 'encryption-key';

export function isEncrypted({ type, settings }: Pick<ServiceRecord, 'type' | 'settings'>): boolean {
  return type === 'file' && settings[ENCRYPT] === 'true';
}

/** A key that a service would get. */
export function newKey(deps: Pick<AdminDeps, 'newId' | 'newKey' | 'seal'>): SecretRecord {
  const id = deps.newId('sec');
  return { id, sealed: deps.seal(id, deps.newKey()) };
}

type Declared = Pick<ServiceRecord, 'settings' | 'secrets'>;

/** With the key, where it is needed and not there: a person may bring the one that a lost master had. */
export function keyed(
  { type, settings, secrets }: Declared & Pick<ServiceRecord, 'type'>,
  key: SecretRecord,
): Declared {
  const needed = isEncrypted({ type, settings }) && secrets[ENCRYPTION_KEY] === undefined;
  return { settings, secrets: needed ? { ...secrets, [ENCRYPTION_KEY]: key.id } : secrets };
}

/** Those that the service names. */
export function used(
  { secrets }: Pick<Declared, 'secrets'>,
  records: readonly SecretRecord[],
): readonly SecretRecord[] {
  const ids = new Set(Object.values(secrets));
  return records.filter(({ id }) => ids.has(id));
}

/**
 * Settings of a file service may turn encryption on and off only while it has no backups: all of them are written and
 * read alike. The key is of our making, and stays.
 */
export function checkEncryption(
  name: string,
  before: Pick<ServiceRecord, 'type' | 'settings' | 'secrets'>,
  to: Pick<ServiceRecord, 'settings' | 'secrets'>,
  backups: readonly BackupRecord[],
): void {
  if (before.type !== 'file') return;
  const value = to.settings[ENCRYPT];
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot set ${name}: ${why}`);
  };
  if (value !== undefined && value !== 'true' && value !== 'false') refuse(`${ENCRYPT} is true or false`);
  const turned =
    isEncrypted(before) !== isEncrypted({ type: before.type, settings: to.settings }) ||
    before.secrets[ENCRYPTION_KEY] !== to.secrets[ENCRYPTION_KEY];
  if (turned && backups.length > 0) {
    refuse(
      `it has ${backups.length} ${backups.length === 1 ? 'backup' : 'backups'}, and ${ENCRYPT} and its key count for all of them; ` +
        'delete them first, or declare another service',
    );
  }
}

export async function exportStoreKey(deps: AdminDeps, request: ExportStoreKeyRequest): Promise<ExportStoreKeyResponse> {
  const graph = await loadGraph(deps.store);
  const service = graph.service(request.service, 'file');
  const id = service.secrets[ENCRYPTION_KEY];
  const secret = id === undefined ? undefined : await deps.store.secrets.get(id);
  if (id === undefined || secret === undefined || !isEncrypted(service)) {
    throw new AegirError(
      'failed_precondition',
      `cannot give a key of ${graph.serviceName(service)}: its backups are not encrypted; while it has none they can be, by: ` +
        `aegir service set ${graph.serviceName(service)} --set ${ENCRYPT}=true`,
    );
  }
  return { key: deps.unseal(id, secret.sealed) };
}
