// backup.store: the snapshots of a site are brought to a file service, as one archive.
import { byteSize } from '../../../shared/byte-size.ts';
import { AegirError } from '../../../shared/error.ts';
import type { BackupFacts, PartSource } from '../../../shared/gen/aegir/v1/backup.ts';
import { bytesAt } from '../../graph/stores.ts';
import type { BackupStepArgs } from '../../plan/backup-args.ts';
import type { JsonObject } from '../../store/model.ts';
import type { BackupPart, BackupRecord } from '../../store/model-backup.ts';
import type { StepContext, StepHandler } from '../handler.ts';
import { holdAgain, letGoEarly } from '../hold-again.ts';
import { MAX_MANIFEST, manifestOf } from '../manifest.ts';
import { performWhole, snapshotSource, told } from '../part-copy.ts';
import { type HandlerDeps, readService, refOf } from '../parts.ts';
import { drop, fromResult, type Taken, take } from './snapshot.ts';

type Args = BackupStepArgs['backup.store'];

/** Files that change while they are read are read again, so often. */
const MOST_SNAPSHOTS = 6;

export async function readBackup({ store }: HandlerDeps, id: string): Promise<BackupRecord> {
  const backup = await store.backups.get(id);
  if (backup !== undefined) return backup;
  throw new AegirError('failed_precondition', `cannot go on: backup ${id} is not there any more`);
}

export function createBackupStore(deps: HandlerDeps): StepHandler<'backup.store'> {
  return {
    kind: 'backup.store',
    do: async (args, ctx) => {
      const waits = await holdAgain(deps.store, ctx);
      if (waits !== undefined) return waits;
      const { files, database, siteId } = args;
      const took = (index: number, serverId: string) => fromResult(ctx.results.get(index) ?? {}, serverId);
      const dump = database === null ? null : took(database.take, database.serverId);
      for (let round = 1; ; round++) {
        let tree = took(files.take, files.serverId);
        if (round > 1) {
          // As before the first one: who takes long to be read keeps no store.
          await letGoEarly(deps.store, ctx);
          tree = await take(deps, ctx, { siteId, part: 'files', ...files }, round);
          const waits = await holdAgain(deps.store, ctx);
          if (waits !== undefined) return waits;
        }
        try {
          const { facts, takenAt, place } = await storeParts(deps, ctx, args, dump, tree, round);
          for (let extra = 2; extra <= round; extra++) await dropRound(deps, ctx, 'do', args, extra);
          tell(ctx, facts);
          return { is: 'done', result: { ...asResult(facts, takenAt, dump, tree), place } };
        } catch (thrown) {
          if (!(thrown instanceof AegirError) || thrown.code !== 'data_loss' || !thrown.retryable) throw thrown;
          if (round === MOST_SNAPSHOTS) {
            throw new AegirError(
              'failed_precondition',
              `cannot keep the site as it is: its files changed each of the ${MOST_SNAPSHOTS} times that they were read ` +
                `(${thrown.message}); try again at a quieter time`,
            );
          }
          const text = `files changed while they were read: they are looked at again (${thrown.message})`;
          ctx.emit({ $case: 'log', value: { level: 'info', text } });
        }
      }
    },
    // What came to the store stays there until it is pruned: nothing names it.
    undo: async (args, ctx) => {
      // Snapshots go when their agents answer, which may be silent: nobody waits for that.
      await letGoEarly(deps.store, ctx);
      for (let extra = 2; extra <= MOST_SNAPSHOTS; extra++) await dropRound(deps, ctx, 'undo', args, extra);
      return { is: 'done' };
    },
  };
}

function dropRound(deps: HandlerDeps, ctx: StepContext, direction: 'do' | 'undo', args: Args, round: number) {
  const { siteId, files } = args;
  return drop(deps, ctx, direction, { siteId, serverId: files.serverId, part: 'files' }, ctx.step, round);
}

async function storeParts(
  deps: HandlerDeps,
  ctx: StepContext,
  { backupId, serviceId }: Args,
  dump: Taken | null,
  tree: Taken,
  round: number,
): Promise<{ facts: BackupFacts; takenAt: number; place: string }> {
  const service = await readService(deps.store, serviceId);
  const backup = await readBackup(deps, backupId);
  const takenAt = ((dump ?? tree).facts.takenAt ?? new Date(backup.takenAt)).getTime();
  const names = ['manifest', ...(dump === null ? [] : ['database']), 'files'];
  const manifest = manifestOf(backup, takenAt, names);
  if (manifest.length > MAX_MANIFEST) {
    throw new AegirError('failed_precondition', 'cannot back the site up: what is known of it is longer than 64 KiB');
  }
  const output = await performWhole(
    deps,
    ctx,
    'do',
    service.serverId,
    `backup/${backupId}`,
    async () => {
      const sources: PartSource[] = [];
      if (dump !== null) sources.push(await snapshotSource(deps, dump, service.serverId, 'database'));
      sources.push(await snapshotSource(deps, tree, service.serverId, 'files'));
      return {
        $case: 'storeBackup',
        value: { service: await refOf(deps, service), backupId, manifest, takenAt: new Date(takenAt), sources },
      };
    },
    ({ backup: kept }) => told(kept, 'a backup'),
    `store${round}.`,
  );
  return { facts: told(output.backup, 'a backup'), takenAt, place: bytesAt(service) };
}

function tell(ctx: StepContext, facts: BackupFacts): void {
  const [all, fresh, stored, came] = [facts.bytes, facts.newBytes, facts.storedBytes, facts.receivedBytes].map(
    (bytes) => byteSize(Number(bytes)),
  );
  const text = `${all} in ${facts.chunks} chunks; new to the store: ${fresh}, which take ${stored}; came over the mesh: ${came}`;
  ctx.emit({ $case: 'log', value: { level: 'info', text } });
}

function asResult(facts: BackupFacts, takenAt: number, dump: Taken | null, tree: Taken): JsonObject {
  const entries: Record<string, bigint> = { database: dump?.facts.entries ?? 0n, files: tree.facts.entries };
  return {
    ...{ digest: hex(facts.digest), bytes: Number(facts.bytes), chunks: Number(facts.chunks), takenAt },
    ...{ newBytes: Number(facts.newBytes), storedBytes: Number(facts.storedBytes) },
    parts: facts.parts.map(({ part, digest, firstChunk, chunks, bytes }) => ({
      ...{ part, digest: hex(digest), firstChunk: Number(firstChunk), chunks: Number(chunks), bytes: Number(bytes) },
      entries: Number(entries[part] ?? 0n),
    })),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** What a backup.store step said, as the record has it. */
export function storedFacts(
  result: JsonObject | undefined,
): Pick<BackupRecord, 'digest' | 'bytes' | 'chunks' | 'newBytes' | 'storedBytes' | 'takenAt' | 'parts'> {
  if (result === undefined) {
    throw new AegirError('internal', 'cannot go on: what became of the backup is not recorded');
  }
  return {
    digest: String(result['digest']),
    bytes: Number(result['bytes']),
    chunks: Number(result['chunks']),
    newBytes: Number(result['newBytes']),
    storedBytes: Number(result['storedBytes']),
    takenAt: Number(result['takenAt']),
    parts: result['parts'] as unknown as readonly BackupPart[],
  };
}
