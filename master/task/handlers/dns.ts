// dns.publish and dns.unpublish: the site's records, by the engine of its dns service.
import type { PlannedRecord } from '../../plan/plan.ts';
import type { StepHandler } from '../handler.ts';
import { type HandlerDeps, readService, refOf } from '../parts.ts';
import { perform, previewOn } from '../perform.ts';
import { dnsSpec } from '../spec.ts';

interface Args {
  readonly serviceId: string;
  readonly siteId: string;
  readonly zone: string;
  readonly records: readonly PlannedRecord[];
}

export async function dnsRequest(deps: HandlerDeps, direction: 'apply' | 'remove', args: Args, preview: boolean) {
  const service = await readService(deps.store, args.serviceId);
  const spec = { $case: 'dns' as const, value: dnsSpec(args.siteId, args.zone, args.records) };
  const ref = await refOf(deps, service);
  const request =
    direction === 'apply'
      ? { $case: 'apply' as const, value: { service: ref, preview, spec } }
      : { $case: 'remove' as const, value: { service: ref, siteId: args.siteId, preview, spec } };
  return { serverId: service.serverId, request };
}

export function createDnsPublish(deps: HandlerDeps): StepHandler<'dns.publish'> {
  return {
    kind: 'dns.publish',
    do: async (args, ctx) => {
      const { serverId, request } = await dnsRequest(deps, 'apply', args, false);
      await perform(deps, ctx, 'do', serverId, `site/${args.siteId}`, request);
      return { is: 'done' };
    },
    undo: async (args, ctx) => {
      if (args.before === 'present' && args.was === undefined) return { is: 'done' };
      const { serverId, request } =
        args.was === undefined
          ? await dnsRequest(deps, 'remove', args, false)
          : await dnsRequest(deps, 'apply', { ...args, records: args.was }, false);
      await perform(deps, ctx, 'undo', serverId, `site/${args.siteId}`, request);
      return { is: 'done' };
    },
    preview: async (args) => {
      const { serverId, request } = await dnsRequest(deps, 'apply', args, true);
      return previewOn(deps, serverId, request);
    },
  };
}

export function createDnsUnpublish(deps: HandlerDeps): StepHandler<'dns.unpublish'> {
  return {
    kind: 'dns.unpublish',
    do: async (args, ctx) => {
      const { serverId, request } = await dnsRequest(deps, 'remove', args, false);
      await perform(deps, ctx, 'do', serverId, `site/${args.siteId}`, request);
      return { is: 'done' };
    },
    undo: { none: 'what is removed cannot come back' },
    preview: async (args) => {
      const { serverId, request } = await dnsRequest(deps, 'remove', args, true);
      return previewOn(deps, serverId, request);
    },
  };
}
