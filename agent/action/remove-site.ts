// remove-site: the app's traces outside of the site, then its directories, user and logs.
import { siteLayout } from '../host/site-layout.ts';
import { planAccountRemoval } from '../site/account.ts';
import { type ActionHandler, appFor, previewOrRun } from './action.ts';
import { planNoCron } from './cron.ts';

export function createRemoveSite(): ActionHandler<'removeSite'> {
  return {
    kind: 'removeSite',
    label: () => 'remove-site',
    async run({ site, preview, keepShared }, ctx, tools) {
      const layout = siteLayout(ctx.host.paths, site.id, site.sharedRoot);
      const traces = await appFor(tools, site.platform.app).remove(site, layout, ctx);
      const account = await planAccountRemoval(layout, ctx.host, keepShared);
      // Off with the virtual host already; but nothing of it may run while its files go.
      return previewOrRun([...planNoCron(site.id, tools), ...traces, ...account], preview, ctx);
    },
  };
}
