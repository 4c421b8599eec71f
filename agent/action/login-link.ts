// login-link: a link that logs in once, as a message for the person who asked.
import { AegirError } from '../../shared/error.ts';
import { canInstall } from '../app/app.ts';
import { siteLayout } from '../host/site-layout.ts';
import { type ActionHandler, appFor } from './action.ts';

export function createLoginLink(): ActionHandler<'loginLink'> {
  return {
    kind: 'loginLink',
    label: () => 'login-link',
    async run({ site, account }, ctx, tools, attempt) {
      const app = appFor(tools, site.platform.app);
      if (!canInstall(app)) {
        throw new AegirError(
          'failed_precondition',
          `cannot make a login link for ${site.name}: a site of app ${app.name} has no accounts that we know of`,
        );
      }
      const layout = siteLayout(ctx.host.paths, site.id, site.sharedRoot);
      const { url, expiresAt } = await app.loginLink(site, account, layout, ctx);
      attempt.hide(url);
      const who = account === '' ? 'the first administrator' : account;
      ctx.message({ kind: 'link', text: `Log in to ${site.name} as ${who}, once`, value: url, expiresAt });
      return { changes: [`make a one-time login link for ${who}`] };
    },
  };
}
