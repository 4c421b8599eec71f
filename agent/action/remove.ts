// remove: one site's part off a service, by the service's engine.
import type { ActionContext, Change } from '../engine/engine.ts';
import type { RequestOf } from '../validate.ts';
import { type ActionHandler, engineFor, previewOrRun, type Tools, typedEngineFor } from './action.ts';
import { withRules } from './apply.ts';
import { planNoCron } from './cron.ts';

export function createRemove(): ActionHandler<'remove'> {
  return {
    kind: 'remove',
    label: ({ service }) => `remove-${service.type}`,
    async run(request, ctx, tools) {
      const cron = request.service.type === 'http' ? planNoCron(request.siteId, tools) : [];
      return previewOrRun([...cron, ...(await plan(request, ctx, tools))], request.preview, ctx);
    },
  };
}

async function plan(
  { service, siteId, spec }: RequestOf['remove'],
  ctx: ActionContext,
  tools: Tools,
): Promise<readonly Change[]> {
  switch (spec?.type) {
    case undefined:
      return engineFor(tools, service).remove(service, siteId, undefined, ctx);
    case 'http':
      return typedEngineFor(tools, service, 'http').remove(service, siteId, withRules(spec.value, ctx, tools), ctx);
    case 'db':
      return typedEngineFor(tools, service, 'db').remove(service, siteId, spec.value, ctx);
    case 'dns':
      return typedEngineFor(tools, service, 'dns').remove(service, siteId, spec.value, ctx);
    case 'file':
      return typedEngineFor(tools, service, 'file').remove(service, siteId, spec.value, ctx);
  }
}
