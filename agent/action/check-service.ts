// check-service: how one service is, as its engine finds. An engine that looks at nothing has nothing to say.
import { canCheck } from '../engine/engine.ts';
import { type ActionHandler, engineFor } from './action.ts';

export function createCheckService(): ActionHandler<'checkService'> {
  return {
    kind: 'checkService',
    label: ({ service }) => `check-service-${service.type}`,
    async run({ service, zones }, ctx, tools) {
      const engine = engineFor(tools, service);
      if (!canCheck(engine)) return { changes: [] };
      ctx.log('info', `check ${service.type}/${service.engine}`);
      return { changes: [], findings: await engine.check(service, ctx, zones) };
    },
  };
}
