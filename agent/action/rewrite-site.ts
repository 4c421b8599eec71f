// rewrite-site: a copied site says its own URL and names. upgrade-site: its database is brought to the code of its platform.
import { canRewrite, canUpgrade } from '../app/app.ts';
import { siteLayout } from '../host/site-layout.ts';
import { type ActionHandler, appFor } from './action.ts';

export function createRewriteSite(): ActionHandler<'rewriteSite'> {
  return {
    kind: 'rewriteSite',
    label: () => 'rewrite-site',
    async run({ site, from }, ctx, tools) {
      const app = appFor(tools, site.platform.app);
      if (!canRewrite(app)) return { changes: [] }; // php and static keep no name that we know of
      await app.rewrite(site, from, siteLayout(ctx.host.paths, site.id, site.sharedRoot), ctx);
      return { changes: [`say ${site.url} instead of ${from.url} in ${site.name}`] };
    },
  };
}

export function createUpgradeSite(): ActionHandler<'upgradeSite'> {
  return {
    kind: 'upgradeSite',
    label: () => 'upgrade-site',
    async run({ site }, ctx, tools) {
      const app = appFor(tools, site.platform.app);
      if (!canUpgrade(app)) return { changes: [] };
      await app.upgrade(site, siteLayout(ctx.host.paths, site.id, site.sharedRoot), ctx);
      return { changes: [`bring the database of ${site.name} to its ${app.name}`] };
    },
  };
}
