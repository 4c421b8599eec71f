// http.publish: the site on its http service, served or with a maintenance page.
import type { StepHandler } from '../handler.ts';
import { type HandlerDeps, readParts, readService, refOf } from '../parts.ts';
import { perform, previewOn } from '../perform.ts';
import { httpSpec } from '../spec.ts';

export function createHttpPublish(deps: HandlerDeps): StepHandler<'http.publish'> {
  const request = async (siteId: string, state: 'enabled' | 'disabled', preview: boolean) => {
    const parts = await readParts(deps, siteId);
    return {
      $case: 'apply' as const,
      value: {
        service: await refOf(deps, parts.http),
        preview,
        spec: { $case: 'http' as const, value: httpSpec(parts, state) },
      },
    };
  };
  return {
    kind: 'http.publish',
    do: async (args, ctx) => {
      const { serverId } = await readService(deps.store, args.serviceId);
      await perform(deps, ctx, 'do', serverId, `site/${args.siteId}`, await request(args.siteId, args.state, false));
      return { is: 'done' };
    },
    undo: async (args, ctx) => {
      const service = await readService(deps.store, args.serviceId);
      const back =
        args.before === 'absent'
          ? {
              $case: 'remove' as const,
              value: { service: await refOf(deps, service), siteId: args.siteId, preview: false, spec: undefined },
            }
          : await request(args.siteId, args.before, false);
      await perform(deps, ctx, 'undo', service.serverId, `site/${args.siteId}`, back);
      return { is: 'done' };
    },
    preview: async (args) => {
      const { serverId } = await readService(deps.store, args.serviceId);
      return previewOn(deps, serverId, await request(args.siteId, args.state, true));
    },
  };
}
