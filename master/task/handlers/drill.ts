// The steps of a restore drill that judge it: when it began, whether what came back is what the backup says it holds.

import { AegirError } from '../../../shared/error.ts';
import { timeSpan } from '../../../shared/for-people.ts';
import type { JsonObject } from '../../store/model.ts';
import type { StepHandler } from '../handler.ts';
import type { HandlerDeps } from '../parts.ts';
import { readBackup } from './backup-store.ts';

export function createDrillBegin({ store }: HandlerDeps): StepHandler<'drill.begin'> {
  return {
    kind: 'drill.begin',
    do: async () => ({ is: 'done' }),
    undo: async ({ backupId }, ctx) => {
      const task = await store.tasks.get(ctx.taskId);
      // A person who stopped it found nothing wrong.
      if (task?.undoCause !== 'failure') return { is: 'done' };
      await store.transaction(async (tx) => {
        if ((await tx.backups.get(backupId)) === undefined) return;
        await tx.backups.update(backupId, { triedAt: ctx.now(), problem: `drill: ${task.reason}`.slice(0, 1000) });
      });
      return { is: 'done' };
    },
  };
}

export function createDrillCompare(deps: HandlerDeps): StepHandler<'drill.compare'> {
  return {
    kind: 'drill.compare',
    do: async ({ backupId, database, files }, ctx) => {
      const { parts } = await readBackup(deps, backupId);
      const told: string[] = [];
      if (database !== null) {
        const kept = parts.find(({ part }) => part === 'database')?.entries ?? 0;
        const came = entriesOf(ctx.results.get(database));
        if (kept !== came) {
          throw new AegirError(
            'data_loss',
            `cannot trust backup ${backupId}: its database has ${kept} tables, and ${came} came back`,
            { retryable: false },
          );
        }
        told.push(`${came} tables`);
      }
      // Files were compared with the digests of the backup as they came.
      if (files !== null) told.push(`${entriesOf(ctx.results.get(files))} files`);
      ctx.emit({ $case: 'log', value: { level: 'info', text: `as in the backup: ${told.join(', ') || 'nothing'}` } });
      return { is: 'done' };
    },
    undo: { none: 'it only looks' },
  };
}

function entriesOf(result: JsonObject | undefined): number {
  return Number(result?.['entries'] ?? 0);
}

export function createDrillProve({ store }: HandlerDeps): StepHandler<'drill.prove'> {
  return {
    kind: 'drill.prove',
    do: async ({ backupId, begin, database }, ctx) => {
      const now = ctx.now();
      const backup = await store.backups.get(backupId);
      const tables = backup?.parts.find(({ part }) => part === 'database')?.entries ?? 0;
      if (database !== undefined && entriesOf(ctx.results.get(database)) !== tables) {
        const text = `backup ${backupId} says that it has ${tables} tables, and others came back: nothing is proven`;
        ctx.emit({ $case: 'log', value: { level: 'warn', text } });
        return { is: 'done' };
      }
      const began = (await store.steps.ofTask(ctx.taskId)).find(({ index }) => index === begin)?.startedAt;
      const provenMillis = Math.max(1, now - (began ?? now));
      await store.transaction(async (tx) => {
        const proven = await tx.backups.get(backupId);
        if (proven === undefined) return;
        await tx.backups.update(backupId, { provenAt: now, triedAt: now, provenMillis, problem: '' });
        const { siteId } = proven;
        if ((await tx.sites.get(siteId)) === undefined) return;
        await tx.sites.update(siteId, { proven: { at: now, backupId, millis: provenMillis } });
      });
      const text = `backup ${backupId} was restored and is good; it took ${timeSpan(provenMillis)}`;
      ctx.emit({ $case: 'message', value: { kind: 'note', text, value: '', expiresAt: undefined } });
      return { is: 'done', result: { provenMillis } };
    },
    undo: { none: 'it was proven' },
  };
}
