// The drush that belongs to a code base, and how Aegir calls it. Never one of another version: a drush of 9 and later is
// part of its code base; Drupal 7 takes drush 8, its own or one that the server has as "drush8".
import { join } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import type { SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext } from '../../engine/engine.ts';
import type { Host } from '../../host/host.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import { inWords, phpOptions } from '../php-cli.ts';
import { jsonAt } from './json-at.ts';
import { siteName } from './places.ts';
import type { CodeBase } from './recognise.ts';
import { SITE_VARIABLE } from './sites-php.ts';

const TIMEOUT_MS = 15 * 60_000;
/** An update may go through all the content. */
const UPDATE_MS = 60 * 60_000;
/** In drush 8 and before, not after. */
const EIGHT = 'commands/core/site_install.drush.inc';

export interface Drush {
  /** What stands before drush's own arguments. */
  readonly program: readonly [string, ...string[]];
  /** Where it was found. */
  readonly path: string;
}

/** undefined when there is none that knows this Drupal. */
export async function findDrush(code: CodeBase, host: Host): Promise<Drush | undefined> {
  for (const vendor of await vendorDirectories(code, host)) {
    const directory = join(vendor, 'drush/drush');
    const path = join(directory, 'drush.php');
    if (!(await host.files.exists(path))) continue;
    // A drush without its libraries (a checkout) cannot run.
    if (!(await host.files.exists(join(vendor, 'autoload.php')))) continue;
    if (code.line === 7 && !(await host.files.exists(join(directory, EIGHT)))) continue;
    return { program: ['php', path], path };
  }
  const path = code.line === 7 ? await host.which('drush8') : undefined;
  return path === undefined ? undefined : { program: [path], path };
}

/** site:install of the site. The password that drush makes up is thrown away: the way in is a login link. */
export async function installByDrush(
  drush: Drush,
  code: CodeBase,
  site: SiteSpec,
  account: { readonly name: string; readonly mail: string; readonly locale: string; readonly profile: string },
  layout: SiteLayout,
  ctx: ActionContext,
): Promise<void> {
  await runDrush(
    drush,
    [
      // The name in all of drush's versions, as alias at least.
      'site-install',
      account.profile,
      // 7 has another form; there the mails go to the administrator.
      ...(code.line === 7 ? [] : ['install_configure_form.enable_update_status_emails=NULL']),
      `--sites-subdir=${siteName(layout)}`,
      `--account-name=${account.name}`,
      `--account-mail=${account.mail}`,
      `--site-mail=${account.mail}`,
      `--site-name=${site.title}`,
      `--locale=${account.locale}`,
    ],
    `install ${site.name}`,
    { code, site, layout },
    ctx,
  );
}

/** All updates that are pending. */
export async function updateByDrush(
  drush: Drush,
  code: CodeBase,
  site: SiteSpec,
  layout: SiteLayout,
  ctx: ActionContext,
): Promise<void> {
  await runDrush(drush, ['updatedb'], `upgrade the database of ${site.name}`, { code, site, layout }, ctx, UPDATE_MS);
}

async function runDrush(
  drush: Drush,
  args: readonly string[],
  doing: string,
  { code, site, layout }: { readonly code: CodeBase; readonly site: SiteSpec; readonly layout: SiteLayout },
  ctx: ActionContext,
  timeoutMs = TIMEOUT_MS,
): Promise<void> {
  const [program, ...before] = drush.program;
  const php = program === 'php' ? phpOptions(layout) : [];
  const result = await ctx.host.run({
    argv: [program, ...php, ...before, `--root=${code.docroot}`, `--uri=${site.url}`, '--yes', ...args],
    cwd: code.docroot,
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      // Its caches are no part of the site.
      HOME: layout.tmp,
      TMPDIR: layout.tmp,
      LANG: 'C.UTF-8',
      NO_COLOR: '1',
      [SITE_VARIABLE]: site.id,
    },
    user: layout.user,
    timeoutMs,
    signal: ctx.signal,
  });
  if (result.code === 0) return;
  // It tells the password that it made up.
  const said = `${result.stdout}\n${result.stderr}`.replace(/(password:\s*)\S+/gi, '$1***');
  throw new AegirError('internal', `cannot ${doing}: ${drush.path} ended with status ${result.code}: ${inWords(said)}`);
}

/** Above the document root or in it; composer.json may name another directory. */
async function vendorDirectories(code: CodeBase, host: Host): Promise<readonly string[]> {
  const named = jsonAt(await host.files.read(join(code.root, 'composer.json')), ['config', 'vendor-dir']);
  const own = typeof named === 'string' && /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/?){1,8}$/.test(named) ? [named] : [];
  return [
    ...new Set([...own.map((name) => join(code.root, name)), join(code.root, 'vendor'), join(code.docroot, 'vendor')]),
  ];
}
