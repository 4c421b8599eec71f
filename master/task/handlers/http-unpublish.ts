// http.unpublish: takes the site off its http service.
import type { StepHandler } from '../handler.ts';
import { type HandlerDeps, readService, refOf } from '../parts.ts';
import { perform, previewOn } from '../perform.ts';

export function createHttpUnpublish(deps: HandlerDeps): StepHandler<'http.unpublish'> {
  const request = async (serviceId: string, siteId: string, preview: boolean) => {
    const service = await readService(deps.store, serviceId);
    return {
      service,
      request: {
        $case: 'remove' as const,
        value: { service: await refOf(deps, service), siteId, preview, spec: undefined },
      },
    };
  };
  return {
    kind: 'http.unpublish',
    do: async (args, ctx) => {
      const made = await request(args.serviceId, args.siteId, false);
      await perform(deps, ctx, 'do', made.service.serverId, `site/${args.siteId}`, made.request);
      return { is: 'done' };
    },
    undo: { none: 'what is removed cannot come back' },
    preview: async (args) => {
      const made = await request(args.serviceId, args.siteId, true);
      return previewOn(deps, made.service.serverId, made.request);
    },
  };
}
