// A backup as one file: the agent of its store sends the tar, compressed, and it passes through this master as fast as
// whoever asked takes it.
import { AegirError, isErrorCode, toAegirError } from '../../shared/error.ts';
import type { ActionResult } from '../../shared/gen/aegir/v1/agent.ts';
import type { ExportBackupAdminRequest, ExportPiece } from '../../shared/gen/aegir/v1/backup_admin.ts';
import { refOf } from '../task/parts.ts';
import { findBackup, requireReady } from './backup.ts';
import type { AdminDeps } from './deps.ts';
import { loadGraph } from './load.ts';

/** As long as an agent works at it: whoever asked may take it slowly. */
const LIMIT_MS = 24 * 3600_000;

export async function* exportBackup(
  deps: AdminDeps,
  request: ExportBackupAdminRequest,
  signal: AbortSignal,
): AsyncIterable<ExportPiece> {
  const backup = await findBackup(deps.store, request.backup);
  requireReady(backup, 'export');
  const service = (await loadGraph(deps.store)).service(backup.serviceId);
  const upload = deps.agents.expectUpload(service.serverId);
  const leave = () => upload.end(new AegirError('cancelled', 'cannot go on: nobody waits for the backup any more'));
  signal.addEventListener('abort', leave, { once: true });
  try {
    const value = {
      ...{ service: await refOf(deps, service), backupId: backup.id, uploadId: upload.id },
      digest: Buffer.from(backup.digest, 'hex'),
    };
    const asked = deps.agents.ask(service.serverId, { $case: 'exportBackup', value }, LIMIT_MS);
    asked.then(
      (result) => {
        const failure = failureOf(result);
        if (failure !== undefined) upload.end(failure);
      },
      // Its session may end while it sends, as when its certificate is renewed: what it sends says by itself where it ends.
      (thrown: unknown) => {
        if (!upload.begun) upload.end(toAegirError(thrown, `export backup ${backup.id}`));
      },
    );
    for await (const bytes of upload.pieces()) yield { bytes };
  } finally {
    signal.removeEventListener('abort', leave);
    leave();
  }
}

function failureOf({ outcome }: ActionResult): AegirError | undefined {
  if (outcome?.$case !== 'error') return undefined;
  const { code, message, retryable } = outcome.value;
  return new AegirError(isErrorCode(code) ? code : 'unknown', message, { retryable });
}
