// A copied WordPress says its own URL: in all its tables, but for the identifiers of its posts, which feeds know it by.
import type { SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext } from '../../engine/engine.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import type { Origin } from '../app.ts';
import { runPhp } from '../php-cli.ts';
import { type LeftAlone, rewriteDatabase } from '../rewrite.ts';
import { connectionOf, type Failure, unreachable } from '../site-database.ts';
import { LOGIN_OPTION } from './login-plugin.ts';
import { SETTLE } from './programs.ts';
import { TABLE_PREFIX } from './settings.ts';

const LEFT: LeftAlone = { tables: '', columns: `~^${TABLE_PREFIX}(?:\\d+_)?posts\\.guid$~` };

export async function rewriteWordpress(
  site: SiteSpec,
  from: Origin,
  layout: SiteLayout,
  ctx: ActionContext,
): Promise<void> {
  const input = {
    db: connectionOf(site),
    options: `${TABLE_PREFIX}options`,
    siteOptions: `${TABLE_PREFIX}sitemeta`,
    login: LOGIN_OPTION,
    url: site.url,
    own: [`${layout.docroot}/`, `${layout.files}/`],
  };
  const doing = `settle the options of ${site.name}`;
  const told = (await runPhp(SETTLE, input, layout, doing, ctx)) as { error?: Failure };
  if (told.error !== undefined) throw unreachable(site, told.error);
  await rewriteDatabase(site, from, LEFT, layout, ctx);
}
