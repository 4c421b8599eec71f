// remove-site: the app's traces outside of the site, then its directories, user and logs.
import { sitePlace } from '../backup/site-owners.ts';
import type { Change } from '../engine/engine.ts';
import type { Host } from '../host/host.ts';
import { siteLayout } from '../host/site-layout.ts';
import { planAccountRemoval } from '../site/account.ts';
import type { RequestOf } from '../validate.ts';
import { type ActionHandler, appFor, previewOrRun, type Tools } from './action.ts';
import { planNoCron } from './cron.ts';

export function createRemoveSite(): ActionHandler<'removeSite'> {
  return {
    kind: 'removeSite',
    label: () => 'remove-site',
    async run({ site, preview, keepShared, keepTrees }, ctx, tools) {
      const layout = siteLayout(ctx.host.paths, site.id, site.sharedRoot);
      const traces = await appFor(tools, site.platform.app).remove(site, layout, ctx);
      const account = await planAccountRemoval(layout, ctx.host, keepShared);
      const kept = site.sharedRoot === '' && keepTrees.length > 0 && account.length > 0;
      const aside: Change[] = kept ? [setAside(site, keepTrees, ctx.host, tools)] : [];
      // Off with the virtual host already; but nothing of it may run while its files go.
      return previewOrRun([...planNoCron(site.id, tools), ...traces, ...aside, ...account], preview, ctx);
    },
  };
}

function setAside(
  site: RequestOf['removeSite']['site'],
  trees: RequestOf['removeSite']['keepTrees'],
  host: Host,
  tools: Tools,
): Change {
  return {
    summary: `keep ${trees.join(', ')} of ${site.name} aside for a week: should it come back, less has to travel`,
    run: async () => {
      // After a crash its user may be gone, and all of this done.
      if ((await host.users.lookup(siteLayout(host.paths, site.id).user)) === undefined) return;
      await tools.backups.former.keepTrees(site.id, await sitePlace(site, trees, host));
    },
  };
}
