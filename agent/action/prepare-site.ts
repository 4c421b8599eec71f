// prepare-site: system user, directories and logs of a site, then the app's settings and links.
import { siteLayout } from '../host/site-layout.ts';
import { planAccount } from '../site/account.ts';
import { type ActionHandler, appFor, previewOrRun } from './action.ts';

export function createPrepareSite(): ActionHandler<'prepareSite'> {
  return {
    kind: 'prepareSite',
    label: () => 'prepare-site',
    async run({ site, preview }, ctx, tools) {
      const layout = siteLayout(ctx.host.paths, site.id, site.sharedRoot);
      const app = appFor(tools, site.platform.app);
      const account = await previewOrRun(await planAccount(layout, ctx.host, site.uid), preview, ctx);
      // Planned only now: the app's contract is that user and directories are there.
      const settings = await previewOrRun(await app.prepare(site, layout, ctx), preview, ctx);
      return { changes: [...account.changes, ...settings.changes] };
    },
  };
}
