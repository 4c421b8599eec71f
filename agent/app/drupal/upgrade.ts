// A Drupal site's database is brought to its code, by the code base's drush or by Drupal's own functions; and a copied site
// says its own URL, names and directory. What was computed is computed anew.
import { AegirError } from '../../../shared/error.ts';
import type { SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext } from '../../engine/engine.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import type { Origin } from '../app.ts';
import { runPhp } from '../php-cli.ts';
import { type LeftAlone, rewriteDatabase } from '../rewrite.ts';
import { findDrush, updateByDrush } from './drush.ts';
import { ground } from './places.ts';
import { type CodeBase, codeBaseOf } from './recognise.ts';
import {
  PENDING_MODERN,
  PENDING_SEVEN,
  REBUILD_MODERN,
  REBUILD_SEVEN,
  UPDATE_MODERN,
  UPDATE_SEVEN,
} from './update-programs.ts';

/** An update may go through all the content. */
const UPDATE_MS = 60 * 60_000;

/** What is made anew, what ends by itself, and logs, which say what was. */
const LEFT: LeftAlone = {
  tables:
    '~^(?:cache(?:_.*|tags)?|router|menu_router|registry(?:_file)?|batch|semaphore|flood|sessions|watchdog|accesslog)$~',
  columns: '',
};

export async function rewriteDrupal(
  site: SiteSpec,
  from: Origin,
  layout: SiteLayout,
  ctx: ActionContext,
): Promise<void> {
  const code = await codeBaseOf(site, ctx.host);
  await rewriteDatabase(site, from, LEFT, layout, ctx);
  await rebuild(site, code, layout, ctx);
}

export async function upgradeDrupal(site: SiteSpec, layout: SiteLayout, ctx: ActionContext): Promise<void> {
  const code = await codeBaseOf(site, ctx.host);
  const doing = `upgrade the database of ${site.name}`;
  const pending = async () => {
    const program = code.line === 7 ? PENDING_SEVEN : PENDING_MODERN;
    return ((await runPhp(program, ground(site, code), layout, doing, ctx)) as { pending: number }).pending;
  };
  const before = await pending();
  if (before === 0) {
    ctx.log('info', `the database is that of Drupal ${code.version} and its modules`);
  } else {
    const drush = await findDrush(code, ctx.host);
    if (drush === undefined) {
      const program = code.line === 7 ? UPDATE_SEVEN : UPDATE_MODERN;
      await runPhp(program, ground(site, code), layout, doing, ctx, { timeoutMs: UPDATE_MS });
    } else {
      await updateByDrush(drush, code, site, layout, ctx);
    }
    const after = await pending();
    if (after !== 0) {
      throw new AegirError('internal', `cannot ${doing}: ${after} of ${before} updates are still to be done after it`);
    }
    ctx.log('info', `${before} updates of the database ran`);
  }
  await rebuild(site, code, layout, ctx);
}

async function rebuild(site: SiteSpec, code: CodeBase, layout: SiteLayout, ctx: ActionContext): Promise<void> {
  const program = code.line === 7 ? REBUILD_SEVEN : REBUILD_MODERN;
  await runPhp(program, ground(site, code), layout, `rebuild the caches of ${site.name}`, ctx);
}
