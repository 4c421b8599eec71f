// The steps about zones: made, removed, published on their server; recorded, changed and forgotten in the graph.
import { isDeepStrictEqual } from 'node:util';
import { toAegirError } from '../../../shared/error.ts';
import type { StepArgs, ZoneValues } from '../../plan/plan.ts';
import type { StepHandler } from '../handler.ts';
import { type HandlerDeps, readService, readZone, refOf } from '../parts.ts';
import { perform, previewOn } from '../perform.ts';
import { dnsSpec, zoneSpec } from '../spec.ts';

export function createZoneApply(deps: HandlerDeps): StepHandler<'zone.apply'> {
  const request = async (args: StepArgs['zone.apply'], values: ZoneValues | null, preview: boolean) => ({
    $case: 'applyZone' as const,
    value: {
      service: await refOf(deps, await readService(deps.store, args.serviceId)),
      preview,
      zone: zoneSpec({ ...(await readZone(deps.store, args.zoneId)), ...values }),
    },
  });
  return {
    kind: 'zone.apply',
    do: async (args, ctx) => {
      const { serverId } = await readService(deps.store, args.serviceId);
      await perform(deps, ctx, 'do', serverId, `zone/${args.zoneId}`, await request(args, null, false));
      return { is: 'done' };
    },
    undo: async (args, ctx) => {
      if (args.before === 'present' && args.was === null) return { is: 'done' };
      const service = await readService(deps.store, args.serviceId);
      if (args.was !== null) {
        const back = await request(args, args.was, false);
        await perform(deps, ctx, 'undo', service.serverId, `zone/${args.zoneId}`, back);
        return { is: 'done' };
      }
      const { name } = await readZone(deps.store, args.zoneId);
      await perform(deps, ctx, 'undo', service.serverId, `zone/${args.zoneId}`, {
        $case: 'removeZone',
        value: { service: await refOf(deps, service), preview: false, name },
      });
      return { is: 'done' };
    },
    preview: async (args) => {
      const { serverId } = await readService(deps.store, args.serviceId);
      return previewOn(deps, serverId, await request(args, null, true));
    },
  };
}

export function createZoneRemove(deps: HandlerDeps): StepHandler<'zone.remove'> {
  const request = async (args: StepArgs['zone.remove'], preview: boolean) => ({
    $case: 'removeZone' as const,
    value: { service: await refOf(deps, await readService(deps.store, args.serviceId)), preview, name: args.name },
  });
  return {
    kind: 'zone.remove',
    do: async (args, ctx) => {
      const { serverId } = await readService(deps.store, args.serviceId);
      await perform(deps, ctx, 'do', serverId, `zone/${args.zoneId}`, await request(args, false));
      return { is: 'done' };
    },
    undo: { none: 'what is removed cannot come back' },
    preview: async (args) => {
      const { serverId } = await readService(deps.store, args.serviceId);
      return previewOn(deps, serverId, await request(args, true));
    },
  };
}

export function createZonePublish(deps: HandlerDeps): StepHandler<'zone.publish'> {
  const request = async (
    args: StepArgs['zone.publish'],
    records: StepArgs['zone.publish']['records'],
    preview: boolean,
  ) => {
    const { name } = await readZone(deps.store, args.zoneId);
    const value = dnsSpec(args.zoneId, name, records);
    const service = await refOf(deps, await readService(deps.store, args.serviceId));
    return { $case: 'apply' as const, value: { service, preview, spec: { $case: 'dns' as const, value } } };
  };
  return {
    kind: 'zone.publish',
    do: async (args, ctx) => {
      const { serverId } = await readService(deps.store, args.serviceId);
      await perform(deps, ctx, 'do', serverId, `zone/${args.zoneId}`, await request(args, args.records, false));
      return { is: 'done' };
    },
    undo: async (args, ctx) => {
      // What was to stay as it was is not worth asking a server that may be the reason why the task failed.
      if (isDeepStrictEqual(args.records, args.before)) return { is: 'done' };
      const { serverId } = await readService(deps.store, args.serviceId);
      await perform(deps, ctx, 'undo', serverId, `zone/${args.zoneId}`, await request(args, args.before, false));
      return { is: 'done' };
    },
    preview: async (args) => {
      const { serverId } = await readService(deps.store, args.serviceId);
      return previewOn(deps, serverId, await request(args, args.records, true));
    },
  };
}

export function createZoneRecord({ store }: HandlerDeps): StepHandler<'zone.record'> {
  return {
    kind: 'zone.record',
    do: async (args) => {
      await store.zones.update(args.zoneId, { state: args.to });
      return { is: 'done' };
    },
    undo: async (args) => {
      if (args.before === 'absent') await store.zones.delete(args.zoneId);
      else await store.zones.update(args.zoneId, { state: args.before });
      return { is: 'done' };
    },
    neverBegan: async ({ zoneId, before }) => {
      if (before === 'absent') await store.zones.delete(zoneId);
    },
  };
}

export function createZoneSet({ store }: HandlerDeps): StepHandler<'zone.set'> {
  return {
    kind: 'zone.set',
    do: async (args) => {
      await store.zones.update(args.zoneId, args.to);
      return { is: 'done' };
    },
    undo: async (args) => {
      await store.zones.update(args.zoneId, args.before);
      return { is: 'done' };
    },
  };
}

type Rows = StepArgs['zone.declare']['add'];

export function createZoneDeclare({ store }: HandlerDeps): StepHandler<'zone.declare'> {
  /** Both at once, however often. */
  const bring = (add: Rows, remove: Rows) =>
    store.transaction(async (tx) => {
      for (const { id } of remove) await tx.records.delete(id);
      for (const row of add) if ((await tx.records.get(row.id)) === undefined) await tx.records.insert({ ...row });
    });
  return {
    kind: 'zone.declare',
    do: async (args) => {
      await bring(args.add, args.remove);
      return { is: 'done' };
    },
    undo: async (args) => {
      await bring(args.remove, args.add);
      return { is: 'done' };
    },
  };
}

export function createZoneForget({ store }: HandlerDeps): StepHandler<'zone.forget'> {
  return {
    kind: 'zone.forget',
    do: async (args) => {
      try {
        await store.transaction(async (tx) => {
          for (const { id } of await tx.records.find({ zoneId: args.zoneId })) await tx.records.delete(id);
          await tx.zones.delete(args.zoneId);
        });
      } catch (thrown) {
        throw toAegirError(thrown, 'forget the zone');
      }
      return { is: 'done' };
    },
    undo: { none: 'what is removed cannot come back' },
  };
}
