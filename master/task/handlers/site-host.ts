// The steps that act on a site on its web server: prepare, remove, install, probe, login.
import type { ActionRequest } from '../../session/agents.ts';
import type { StepHandler } from '../handler.ts';
import { type HandlerDeps, readParts, refOf } from '../parts.ts';
import { perform, previewOn } from '../perform.ts';
import { phpSpec, siteSpec } from '../spec.ts';

/** The site as its record is now. */
export async function prepareRequest(deps: HandlerDeps, siteId: string, preview: boolean): Promise<ActionRequest> {
  return { $case: 'prepareSite', value: { site: siteSpec(await readParts(deps, siteId)), preview } };
}

export function createSitePrepare(deps: HandlerDeps): StepHandler<'site.prepare'> {
  const request = (siteId: string, preview: boolean) => prepareRequest(deps, siteId, preview);
  return {
    kind: 'site.prepare',
    do: async (args, ctx) => {
      await perform(deps, ctx, 'do', args.serverId, `site/${args.siteId}`, await request(args.siteId, false));
      return { is: 'done' };
    },
    undo: async (args, ctx) => {
      if (args.before === 'present') return { is: 'done' };
      const site = siteSpec(await readParts(deps, args.siteId));
      await perform(deps, ctx, 'undo', args.serverId, `site/${args.siteId}`, {
        $case: 'removeSite',
        value: { site, preview: false },
      });
      return { is: 'done' };
    },
    preview: async (args) => previewOn(deps, args.serverId, await request(args.siteId, true)),
  };
}

export function createSiteRemove(deps: HandlerDeps): StepHandler<'site.remove'> {
  const request = async (siteId: string, preview: boolean) => ({
    $case: 'removeSite' as const,
    value: { site: siteSpec(await readParts(deps, siteId)), preview },
  });
  return {
    kind: 'site.remove',
    do: async (args, ctx) => {
      await perform(deps, ctx, 'do', args.serverId, `site/${args.siteId}`, await request(args.siteId, false));
      return { is: 'done' };
    },
    undo: { none: 'what is removed cannot come back' },
    preview: async (args) => previewOn(deps, args.serverId, await request(args.siteId, true)),
  };
}

export function createSiteInstall(deps: HandlerDeps): StepHandler<'site.install'> {
  return {
    kind: 'site.install',
    do: async (args, ctx) => {
      const site = siteSpec(await readParts(deps, args.siteId));
      await perform(deps, ctx, 'do', args.serverId, `site/${args.siteId}`, { $case: 'installSite', value: { site } });
      return { is: 'done' };
    },
    undo: { none: 'its database and files go with the steps before' },
  };
}

export function createSiteProbe(deps: HandlerDeps): StepHandler<'site.probe'> {
  return {
    kind: 'site.probe',
    do: async (args, ctx) => {
      const parts = await readParts(deps, args.siteId);
      await perform(deps, ctx, 'do', parts.web.id, `site/${args.siteId}`, {
        $case: 'probeSite',
        value: { site: siteSpec(parts), service: await refOf(deps, parts.http), path: '/' },
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
      const site = siteSpec(await readParts(deps, args.siteId));
      await perform(deps, ctx, 'do', args.serverId, `site/${args.siteId}`, {
        $case: 'loginLink',
        value: { site, account: args.account },
      });
      return { is: 'done' };
    },
    undo: { none: 'the link ends by itself' },
  };
}

export function createSiteCron(deps: HandlerDeps): StepHandler<'site.cron'> {
  return {
    kind: 'site.cron',
    do: async (args, ctx) => {
      const parts = await readParts(deps, args.siteId);
      await perform(deps, ctx, 'do', args.serverId, `site/${args.siteId}`, {
        $case: 'runCron',
        value: { site: siteSpec(parts), php: phpSpec(parts.site) },
      });
      return { is: 'done' };
    },
    undo: { none: 'what an app does by its cron is done' },
  };
}
