// The steps about services and servers: prepare and enable a service, detect and diagnose a server.
import type { FoundSite } from '../../../shared/gen/aegir/v1/agent.ts';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import { nameOnServer } from '../../../shared/service-name.ts';
import { judgeFound } from '../../report/leftover.ts';
import { openTasks } from '../../store/open-tasks.ts';
import type { StepHandler } from '../handler.ts';
import { type HandlerDeps, readService, refOf } from '../parts.ts';
import { perform, previewOn } from '../perform.ts';
import { fromAgent, tell } from './verify-part.ts';

/** A cluster is a front: its heads have the sites. */
const BALANCER_ENGINE = 'cluster';
const DETECT_TIMEOUT_MS = 60_000;

export function createServicePrepare(deps: HandlerDeps): StepHandler<'service.prepare'> {
  const request = async (serviceId: string, preview: boolean) => {
    const service = await readService(deps.store, serviceId);
    return {
      service,
      request: { $case: 'prepareService' as const, value: { service: await refOf(deps, service), preview } },
    };
  };
  return {
    kind: 'service.prepare',
    do: async (args, ctx) => {
      const made = await request(args.serviceId, false);
      await perform(deps, ctx, 'do', made.service.serverId, `service/${args.serviceId}`, made.request);
      return { is: 'done' };
    },
    undo: { none: 'a service that is ready harms nobody' },
    preview: async (args) => {
      const made = await request(args.serviceId, true);
      return previewOn(deps, made.service.serverId, made.request);
    },
  };
}

export function createServiceEnable({ store }: HandlerDeps): StepHandler<'service.enable'> {
  return {
    kind: 'service.enable',
    do: async (args) => {
      const service = await readService(store, args.serviceId);
      await store.services.update(
        args.serviceId,
        service.state === 'missing' ? { stateBefore: 'enabled' } : { state: 'enabled', stateBefore: 'enabled' },
      );
      return { is: 'done' };
    },
    undo: async (args) => {
      const service = await readService(store, args.serviceId);
      await store.services.update(
        args.serviceId,
        service.state === 'missing' ? { stateBefore: args.before } : { state: args.before, stateBefore: args.before },
      );
      return { is: 'done' };
    },
  };
}

export function createServerDetect(deps: HandlerDeps): StepHandler<'server.detect'> {
  return {
    kind: 'server.detect',
    do: async (args, ctx) => {
      await deps.agents.refreshInventory(args.serverId, DETECT_TIMEOUT_MS);
      const services = await deps.store.services.find({ serverId: args.serverId });
      for (const service of services) {
        const wanted = service.state === 'missing' && service.stateBefore === 'enabled';
        const text = `${nameOnServer(service)} is enabled, and was not found`;
        if (wanted) ctx.emit({ $case: 'message', value: { kind: 'warning', text, value: '', expiresAt: undefined } });
      }
      return { is: 'done' };
    },
    undo: { none: 'it only looks' },
  };
}

/** Those of the sites that a task works with: it has them at several places for a while. */
async function busy({ store }: HandlerDeps, found: readonly FoundSite[]): Promise<ReadonlySet<string>> {
  const wanted = new Set(found.map(({ siteId }) => siteId));
  const open = (await openTasks(store)).map(({ subjectId }) => subjectId);
  return new Set(open.filter((id) => wanted.has(id)));
}

/** What the host is found to be is the step's result, for the report. */
export function createServerDiagnose(deps: HandlerDeps): StepHandler<'server.diagnose'> {
  return {
    kind: 'server.diagnose',
    do: async (args, ctx) => {
      const enabled = await deps.store.services.find({ serverId: args.serverId, state: 'enabled' });
      const carriers = enabled.filter(
        ({ type, engine }) => (type === 'http' && engine !== BALANCER_ENGINE) || type === 'db',
      );
      const search: ServiceRef[] = [];
      for (const service of carriers) search.push(await refOf(deps, service));
      const { output } = await perform(deps, ctx, 'do', args.serverId, `server/${args.serverId}`, {
        $case: 'diagnose',
        // Services are checked one by one, as they were declared.
        value: { masterTime: new Date(ctx.now()), services: [], hostOnly: true, search: { services: search } },
      });
      const found = output.found?.sites ?? [];
      const left = judgeFound(await deps.graph(), args.serverId, found, await busy(deps, found));
      return { is: 'done', result: { findings: tell([...fromAgent('host', output.findings), ...left], ctx) } };
    },
    undo: { none: 'it only looks' },
  };
}
