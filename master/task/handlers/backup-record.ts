// The steps that change the record of a backup: that it is made, whole, on its way out, gone.
import { AegirError } from '../../../shared/error.ts';
import { bytesAt } from '../../graph/stores.ts';
import type { BackupRecord } from '../../store/model-backup.ts';
import type { StepHandler } from '../handler.ts';
import { type HandlerDeps, readService } from '../parts.ts';
import { readBackup, storedFacts } from './backup-store.ts';
import { absentOf, missingFrom, storeName } from './store-find.ts';

const MOST_TEXT = 1000;

async function bring({ store }: HandlerDeps, id: string, patch: Partial<Omit<BackupRecord, 'id'>>): Promise<void> {
  await store.transaction(async (tx) => {
    if ((await tx.backups.get(id)) !== undefined) await tx.backups.update(id, patch);
  });
}

export function createBackupRecord(deps: HandlerDeps): StepHandler<'backup.record'> {
  const { store } = deps;
  return {
    kind: 'backup.record',
    do: async () => ({ is: 'done' }),
    undo: async ({ backupId }, ctx) => {
      const task = await store.tasks.get(ctx.taskId);
      const steps = await store.steps.ofTask(ctx.taskId);
      // What may be in the store has to be named there to go: pruning does.
      if (steps.some(({ kind, attempts }) => kind === 'backup.store' && attempts > 0)) {
        const problem = (task?.reason || 'it was cancelled').slice(0, MOST_TEXT);
        await bring(deps, backupId, { state: 'deleting', problem });
      } else await store.backups.delete(backupId);
      return { is: 'done' };
    },
    neverBegan: async ({ backupId }) => {
      await store.transaction(async (tx) => {
        if ((await tx.backups.get(backupId))?.state === 'making') await tx.backups.delete(backupId);
      });
    },
    // One that is whole may be all that is left of the site.
    givenUp: async ({ backupId }) => {
      await store.transaction(async (tx) => {
        if ((await tx.backups.get(backupId))?.state === 'making')
          await tx.backups.update(backupId, { state: 'deleting', problem: 'it was given up' });
      });
    },
  };
}

/** place: where its bytes went; undefined where an older master brought them. */
async function requireSamePlace(deps: HandlerDeps, backupId: string, place: unknown): Promise<void> {
  const service = await readService(deps.store, (await readBackup(deps, backupId)).serviceId);
  if (place === undefined || place === bytesAt(service)) return;
  throw new AegirError(
    'failed_precondition',
    `cannot record backup ${backupId} as whole: its store keeps backups elsewhere since it was brought there; make another one`,
  );
}

export function createBackupReady(deps: HandlerDeps): StepHandler<'backup.ready'> {
  return {
    kind: 'backup.ready',
    do: async ({ backupId, store }, ctx) => {
      const result = ctx.results.get(store);
      await requireSamePlace(deps, backupId, result?.['place']);
      await bring(deps, backupId, { ...storedFacts(result), state: 'ready' });
      return { is: 'done' };
    },
    undo: async ({ backupId }) => {
      await bring(deps, backupId, { state: 'making' });
      return { is: 'done' };
    },
  };
}

export function createBackupMark(deps: HandlerDeps): StepHandler<'backup.mark'> {
  const back = async (backups: readonly { readonly id: string; readonly before: BackupRecord['state'] }[]) => {
    for (const { id, before } of backups) await bring(deps, id, { state: before });
  };
  return {
    kind: 'backup.mark',
    do: async ({ backups }) => {
      for (const { id } of backups) await bring(deps, id, { state: 'deleting' });
      return { is: 'done' };
    },
    undo: async ({ backups }) => {
      await back(backups);
      return { is: 'done' };
    },
  };
}

export function createBackupForget({ store }: HandlerDeps): StepHandler<'backup.forget'> {
  return {
    kind: 'backup.forget',
    do: async ({ backupIds, looked }, ctx) => {
      const absent = absentOf(ctx.results, looked);
      const missing = new Map<string, string>();
      for (const id of absent) {
        const backup = await store.backups.get(id);
        if (backup === undefined) continue;
        missing.set(id, missingFrom(await storeName(store, await readService(store, backup.serviceId))));
      }
      await store.transaction(async (tx) => {
        const sites = new Set<string>();
        for (const id of backupIds) {
          const backup = await tx.backups.get(id);
          if (backup === undefined) continue;
          const problem = missing.get(id);
          if (problem !== undefined) {
            await tx.backups.update(id, { state: 'missing', problem });
            continue;
          }
          sites.add(backup.siteId);
          await tx.backups.delete(id);
        }
        // What a site that is gone was to be kept by goes with the last of it.
        for (const siteId of sites) {
          if ((await tx.sites.get(siteId)) !== undefined) continue;
          if ((await tx.backups.find({ siteId })).length === 0) await tx.backupPolicies.delete(siteId);
        }
      });
      return { is: 'done' };
    },
    undo: { none: 'what is removed cannot come back' },
  };
}
