// prepare-service: what a daemon itself needs before it carries sites. An engine that needs nothing is ready.
import { canPrepare } from '../engine/engine.ts';
import { type ActionHandler, engineFor, previewOrRun } from './action.ts';

export function createPrepareService(): ActionHandler<'prepareService'> {
  return {
    kind: 'prepareService',
    label: ({ service }) => `prepare-service-${service.type}`,
    async run({ service, preview }, ctx, tools) {
      const engine = engineFor(tools, service);
      if (!canPrepare(engine)) return { changes: [] };
      return previewOrRun(await engine.prepare(service, ctx), preview, ctx);
    },
  };
}
