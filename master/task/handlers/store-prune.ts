// store.prune and backup.check: what happens to backups in their store.
import { byteSize } from '../../../shared/byte-size.ts';
import { AegirError } from '../../../shared/error.ts';
import type { ActionRequest } from '../../session/agents.ts';
import type { StepContext, StepHandler } from '../handler.ts';
import { holdAgain, letGoEarly } from '../hold-again.ts';
import { told } from '../part-copy.ts';
import { type HandlerDeps, readService, refOf } from '../parts.ts';
import { perform, previewOn } from '../perform.ts';
import { readBackup } from './backup-store.ts';
import { absentOf, missingFrom, storeName } from './store-find.ts';

export function createStorePrune(deps: HandlerDeps): StepHandler<'store.prune'> {
  const request = async (serviceId: string, backupIds: readonly string[], preview: boolean) => {
    const service = await readService(deps.store, serviceId);
    const made: ActionRequest = {
      $case: 'pruneStore',
      value: { service: await refOf(deps, service), backupIds: [...backupIds], preview },
    };
    return { serverId: service.serverId, made };
  };
  /** Once the agent has said that it failed, nothing is removed there any more: nobody waits until it is tried again. */
  const pruned = async (ctx: StepContext, serverId: string, resource: string, made: ActionRequest) => {
    let answered = false;
    const afterDurable: StepContext['afterDurable'] = (callback) => {
      answered = true;
      ctx.afterDurable(callback);
    };
    try {
      return (await perform(deps, { ...ctx, afterDurable }, 'do', serverId, resource, made)).output;
    } catch (thrown) {
      if (answered) await letGoEarly(deps.store, ctx);
      throw thrown;
    }
  };
  return {
    kind: 'store.prune',
    do: async ({ serviceId, backupIds, looked }, ctx) => {
      const waits = await holdAgain(deps.store, ctx);
      if (waits !== undefined) return waits;
      const absent = absentOf(ctx.results, looked);
      const there = backupIds.filter((id) => !absent.has(id));
      const { serverId, made } = await request(serviceId, there, false);
      const output = await pruned(ctx, serverId, `service/${serviceId}`, made);
      const { backups, chunks, bytes, keptBackups } = told(output.prune, 'a prune');
      const text = `${backups} backups and ${chunks} chunks of ${byteSize(Number(bytes))} removed; ${keptBackups} backups remain`;
      ctx.emit({ $case: 'log', value: { level: 'info', text } });
      return { is: 'done', result: { backups: Number(backups), chunks: Number(chunks), bytes: Number(bytes) } };
    },
    undo: { none: 'what is removed cannot come back' },
    preview: async ({ serviceId, backupIds }) => {
      const { serverId, made } = await request(serviceId, backupIds, true);
      return previewOn(deps, serverId, made);
    },
  };
}

export function createBackupCheck(deps: HandlerDeps): StepHandler<'backup.check'> {
  return {
    kind: 'backup.check',
    do: async ({ backupId, readAll }, ctx) => {
      const waits = await holdAgain(deps.store, ctx);
      if (waits !== undefined) return waits;
      const backup = await readBackup(deps, backupId);
      const service = await readService(deps.store, backup.serviceId);
      const digest = Buffer.from(backup.digest, 'hex');
      const value = { service: await refOf(deps, service), backupId, digest, readAll };
      const { output } = await perform(deps, ctx, 'do', service.serverId, `backup/${backupId}`, {
        $case: 'checkBackup',
        value,
      });
      const { chunks, bytes, damaged, problems, absent } = told(output.check, 'a look at a backup');
      if (absent) {
        const why = missingFrom(await storeName(deps.store, service));
        await deps.store.backups.update(backupId, { state: 'missing', problem: why });
        throw new AegirError(
          'failed_precondition',
          `cannot find backup ${backupId}: ${why}; then look again: aegir backup verify ${backupId}`,
          { retryable: false },
        );
      }
      const whole = damaged === 0n && problems.length === 0;
      const why = whole ? '' : [`${damaged} of ${chunks} chunks are damaged`, ...problems].join('; ').slice(0, 1000);
      // An older look that reads nothing does not clear what one that read everything found.
      const cleared = whole && (readAll || backup.state === 'ready');
      await deps.store.backups.update(backupId, {
        ...(whole && readAll ? { verifiedAt: ctx.now() } : {}),
        ...(cleared ? { state: 'ready' as const, problem: '' } : {}),
        ...(whole ? {} : { state: 'damaged' as const, problem: why }),
      });
      if (whole) {
        const text = `${chunks} chunks of ${byteSize(Number(bytes))} ${readAll ? 'read, and what they should be' : 'are there'}`;
        ctx.emit({ $case: 'log', value: { level: 'info', text } });
        if (backup.state !== 'ready') {
          const how = cleared
            ? 'is whole'
            : `stays ${backup.state} until all of it was read: verify it without --quick`;
          const state = `it was recorded as ${backup.state}, and ${how}`;
          ctx.emit({ $case: 'log', value: { level: 'info', text: state } });
        }
        return { is: 'done', result: { chunks: Number(chunks), bytes: Number(bytes) } };
      }
      for (const problem of problems) ctx.emit({ $case: 'log', value: { level: 'error', text: problem } });
      throw new AegirError('data_loss', `cannot trust backup ${backupId}: ${why}; make another one, then delete it`, {
        retryable: false,
      });
    },
    undo: { none: 'it only looks' },
  };
}
