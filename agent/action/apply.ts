// apply: one service to a spec, by the service's engine.
import { asUntouched, toAegirError } from '../../shared/error.ts';
import type { ActionContext, Change, HttpSiteSpec } from '../engine/engine.ts';
import { siteLayout } from '../host/site-layout.ts';
import type { RequestOf } from '../validate.ts';
import type { ValidHttpSpec } from '../validate-spec.ts';
import { type ActionHandler, appFor, previewOrRun, type Tools, typedEngineFor } from './action.ts';
import { planCron, tellFailure } from './cron.ts';

export function createApply(): ActionHandler<'apply'> {
  return {
    kind: 'apply',
    label: ({ spec }) => `apply-${spec.type}`,
    async run(request, ctx, tools) {
      const changes = await plan(request, ctx, tools).catch((thrown: unknown) => {
        // Planning only reads.
        throw asUntouched(toAegirError(thrown, `plan apply-${request.spec.type}`));
      });
      return previewOrRun(changes, request.preview, ctx);
    },
  };
}

async function plan(
  { service, spec, preview }: RequestOf['apply'],
  ctx: ActionContext,
  tools: Tools,
): Promise<readonly Change[]> {
  switch (spec.type) {
    case 'http': {
      const changes = await typedEngineFor(tools, service, 'http').plan(
        service,
        withRules(spec.value, ctx, tools),
        ctx,
      );
      const cron = planCron(spec.value, tools);
      if (!preview) tellFailure(spec.value, ctx, tools);
      // A site that is taken off the web is left in peace first; one that comes back is served first.
      return spec.value.state === 'enabled' ? [...changes, ...cron] : [...cron, ...changes];
    }
    case 'db':
      return typedEngineFor(tools, service, 'db').plan(service, spec.value, ctx);
    case 'dns':
      return typedEngineFor(tools, service, 'dns').plan(service, spec.value, ctx);
    case 'file':
      return typedEngineFor(tools, service, 'file').plan(service, spec.value, ctx);
  }
}

/** The app says what the web may see; the engine renders it. */
export function withRules(spec: ValidHttpSpec, ctx: ActionContext, tools: Tools): HttpSiteSpec {
  const layout = siteLayout(ctx.host.paths, spec.siteId, spec.sharedRoot);
  return { ...spec, rules: appFor(tools, spec.app).web(spec.platform, layout) };
}
