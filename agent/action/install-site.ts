// install-site: runs the app's installer into the site's empty database. An installer is not repeatable, so what a
// crash left is looked at first: done is done, half is wiped and begun anew.
import { AegirError } from '../../shared/error.ts';
import { canInstall } from '../app/app.ts';
import { siteLayout } from '../host/site-layout.ts';
import { type ActionHandler, appFor } from './action.ts';

export function createInstallSite(): ActionHandler<'installSite'> {
  return {
    kind: 'installSite',
    label: () => 'install-site',
    async run({ site }, ctx, tools, attempt) {
      const app = appFor(tools, site.platform.app);
      if (!canInstall(app)) return { changes: [] }; // php and static have no installer: their code is the site
      const layout = siteLayout(ctx.host.paths, site.id, site.sharedRoot);
      const state = await app.installState(site, layout, ctx);
      if (state === 'installed') {
        if (attempt.resumed) {
          ctx.log('info', `${app.name} was installed before the agent stopped`);
          return { changes: [] };
        }
        throw new AegirError(
          'already_exists',
          `cannot install ${site.name}: its database holds an installed ${app.name} already; delete that site or use another database`,
        );
      }
      if (state === 'partial') {
        ctx.log('warn', `an unfinished ${app.name} is in the database: it is emptied and the installer begins anew`);
        await app.wipe(site, layout, ctx);
        ctx.signal.throwIfAborted();
      }
      ctx.progress(0.1, `install ${app.name}`);
      await app.install(site, layout, ctx);
      return { changes: [`install ${app.name} for ${site.name}`] };
    },
  };
}
