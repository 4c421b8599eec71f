// The steps that act on a site on its web server: prepare, remove, install, probe, login.
import { AegirError } from '../../../shared/error.ts';
import type { SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import { treesOf } from '../../../shared/vocabulary.ts';
import type { Place, StepArgs } from '../../plan/plan.ts';
import type { ActionRequest } from '../../session/agents.ts';
import type { StepHandler } from '../handler.ts';
import { requireNotHome } from '../home.ts';
import { type HandlerDeps, readParts, readService, refOf } from '../parts.ts';
import { perform, previewOn } from '../perform.ts';
import { phpSpec, type SiteParts, siteSpec } from '../spec.ts';

/** The site as its record is now. */
export async function prepareRequest(
  deps: HandlerDeps,
  siteId: string,
  serverId: string,
  preview: boolean,
  place?: Place,
): Promise<ActionRequest> {
  return { $case: 'prepareSite', value: { site: siteSpec(await readParts(deps, siteId, place), serverId), preview } };
}

export function createSitePrepare(deps: HandlerDeps): StepHandler<'site.prepare'> {
  const request = ({ siteId, serverId, place }: StepArgs['site.prepare'], preview: boolean) =>
    prepareRequest(deps, siteId, serverId, preview, place);
  return {
    kind: 'site.prepare',
    do: async (args, ctx) => {
      await perform(deps, ctx, 'do', args.serverId, `site/${args.siteId}`, await request(args, false));
      return { is: 'done' };
    },
    undo: async (args, ctx) => {
      if (args.before === 'present') return { is: 'done' };
      await requireNotHome(deps.store, args.siteId, { serverId: args.serverId });
      const site = siteSpec(await readParts(deps, args.siteId, args.place, true), args.serverId);
      await perform(deps, ctx, 'undo', args.serverId, `site/${args.siteId}`, {
        $case: 'removeSite',
        value: { site, preview: false, keepShared: args.keepShared, keepTrees: [] },
      });
      return { is: 'done' };
    },
    preview: async (args) => previewOn(deps, args.serverId, await request(args, true)),
  };
}

export function createSiteRemove(deps: HandlerDeps): StepHandler<'site.remove'> {
  const request = async (args: StepArgs['site.remove'], preview: boolean): Promise<ActionRequest> => {
    const { siteId, serverId, keepShared, mayReturn = false, place } = args;
    const parts = await readParts(deps, siteId, place, true);
    const keepTrees = mayReturn ? [...treesOf(parts.platform.app)] : [];
    return { $case: 'removeSite', value: { site: siteSpec(parts, serverId), preview, keepShared, keepTrees } };
  };
  return {
    kind: 'site.remove',
    do: async (args, ctx) => {
      await perform(deps, ctx, 'do', args.serverId, `site/${args.siteId}`, await request(args, false));
      return { is: 'done' };
    },
    undo: { none: 'what is removed cannot come back' },
    preview: async (args) => previewOn(deps, args.serverId, await request(args, true)),
  };
}

export function createSiteInstall(deps: HandlerDeps): StepHandler<'site.install'> {
  return {
    kind: 'site.install',
    do: async (args, ctx) => {
      const site = siteSpec(await readParts(deps, args.siteId), args.serverId);
      await perform(deps, ctx, 'do', args.serverId, `site/${args.siteId}`, { $case: 'installSite', value: { site } });
      return { is: 'done' };
    },
    undo: { none: 'its database and files go with the steps before' },
  };
}

/** Asked by its name and address alone, which are the same on all of its servers. */
function probedSite(parts: SiteParts): SiteSpec {
  const [any] = parts.servers;
  if (any !== undefined) return siteSpec(parts, any.server.id);
  throw new AegirError('failed_precondition', `cannot open ${parts.site.name}: it has no web server`);
}

export function createSiteProbe(deps: HandlerDeps): StepHandler<'site.probe'> {
  return {
    kind: 'site.probe',
    do: async (args, ctx) => {
      const parts = await readParts(deps, args.siteId, args.place);
      const service = await readService(deps.store, args.serviceId);
      const behindFront = parts.front !== null && service.id !== parts.http.id;
      await perform(deps, ctx, 'do', service.serverId, `site/${args.siteId}`, {
        $case: 'probeSite',
        value: {
          site: probedSite(parts),
          service: await refOf(deps, service),
          path: '/',
          behindFront,
          // Who has the password has no use for the question.
          asksPassword: parts.auth !== null && parts.login === null,
          ...(parts.login ?? { user: '', password: '' }),
        },
      });
      return { is: 'done' };
    },
    undo: { none: 'it only looks' },
  };
}

export function createSiteLogin(deps: HandlerDeps): StepHandler<'site.login'> {
  return {
    kind: 'site.login',
    do: async (args, ctx) => {
      const site = siteSpec(await readParts(deps, args.siteId), args.serverId);
      await perform(deps, ctx, 'do', args.serverId, `site/${args.siteId}`, {
        $case: 'loginLink',
        value: { site, account: args.account },
      });
      return { is: 'done' };
    },
    undo: { none: 'the link ends by itself' },
  };
}

export function createSiteUpgrade(deps: HandlerDeps): StepHandler<'site.upgrade'> {
  return {
    kind: 'site.upgrade',
    do: async ({ siteId, serverId, place }, ctx) => {
      const site = siteSpec(await readParts(deps, siteId, place), serverId);
      await perform(deps, ctx, 'do', serverId, `site/${siteId}`, { $case: 'upgradeSite', value: { site } });
      return { is: 'done' };
    },
    undo: { none: 'the database comes back as it was kept, or goes' },
  };
}

export function createSiteCron(deps: HandlerDeps): StepHandler<'site.cron'> {
  return {
    kind: 'site.cron',
    do: async (args, ctx) => {
      const parts = await readParts(deps, args.siteId);
      await perform(deps, ctx, 'do', args.serverId, `site/${args.siteId}`, {
        $case: 'runCron',
        value: { site: siteSpec(parts, args.serverId), php: phpSpec(parts.site) },
      });
      return { is: 'done' };
    },
    undo: { none: 'what an app does by its cron is done' },
  };
}
