// The steps about what people declare of services.
import { isDeepStrictEqual } from 'node:util';
import { AegirError } from '../../../shared/error.ts';
import { setOf } from '../../graph/stores.ts';
import type { StepArgs } from '../../plan/plan.ts';
import type { Store, Tx } from '../../store/store.ts';
import type { StepHandler } from '../handler.ts';
import type { HandlerDeps } from '../parts.ts';

export function createServiceDeclare({ store }: HandlerDeps): StepHandler<'service.declare'> {
  return {
    kind: 'service.declare',
    // Saved with the task.
    do: async () => ({ is: 'done' }),
    undo: async (args) => {
      await forget(store, args.serviceId);
      return { is: 'done' };
    },
    neverBegan: ({ serviceId }) => forget(store, serviceId),
  };
}

export function createServiceForget({ store }: HandlerDeps): StepHandler<'service.forget'> {
  return {
    kind: 'service.forget',
    do: async (args) => {
      await forget(store, args.serviceId);
      return { is: 'done' };
    },
    undo: { none: 'nothing of it is left' },
  };
}

/** Repeatable. */
function forget(store: Store, serviceId: string): Promise<void> {
  return store.transaction(async (tx) => {
    const service = await tx.services.get(serviceId);
    if (service === undefined) return;
    // Those of a cluster.
    for (const head of await tx.heads.find({ clusterId: service.id })) await tx.heads.delete(head.id);
    await tx.services.delete(service.id);
    for (const id of Object.values(service.secrets)) await tx.secrets.delete(id);
  });
}

export function createServiceSet({ store }: HandlerDeps): StepHandler<'service.set'> {
  const forgetNew = async (tx: Tx, { to, before }: StepArgs['service.set']) => {
    const kept = new Set(Object.values(before.secrets));
    for (const id of Object.values(to.secrets)) if (!kept.has(id)) await tx.secrets.delete(id);
  };
  return {
    kind: 'service.set',
    do: async ({ serviceId, to, recorded }) => {
      await store.transaction(async (tx) => {
        const service = await tx.services.get(serviceId);
        const done = service !== undefined && isDeepStrictEqual({ ...service, ...to }, service);
        if (done || recorded === undefined || setOf(await tx.backups.find({ serviceId })) === recorded) {
          return tx.services.update(serviceId, to);
        }
        throw new AegirError(
          'failed_precondition',
          'cannot record its settings: backups came to its place, or went, since this was decided; ask for it anew',
        );
      });
      return { is: 'done' };
    },
    undo: async (args) => {
      await store.transaction(async (tx) => {
        await tx.services.update(args.serviceId, args.before);
        await forgetNew(tx, args);
      });
      return { is: 'done' };
    },
    neverBegan: (args) => store.transaction((tx) => forgetNew(tx, args)),
  };
}

export function createSecretsForget({ store }: HandlerDeps): StepHandler<'secrets.forget'> {
  return {
    kind: 'secrets.forget',
    do: async (args) => {
      for (const id of args.secretIds) await store.secrets.delete(id);
      return { is: 'done' };
    },
    undo: { none: 'nothing uses them' },
  };
}
