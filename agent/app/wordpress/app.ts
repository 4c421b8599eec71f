// The app wordpress: many sites on one shared, read-only code base. Each site has a document root of links to it, with a
// configuration, must-use plugin and uploads of its own.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { sha256Hex } from '../../../shared/digest.ts';
import { AegirError } from '../../../shared/error.ts';
import type { SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext, Change } from '../../engine/engine.ts';
import type { Host } from '../../host/host.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import type { App, Installing, InstallState, Periodic, Rewriting, Upgrading } from '../app.ts';
import { runPhp } from '../php-cli.ts';
import { type PlannedLink, planFile, planLinks } from '../planned-file.ts';
import { connectionOf, databaseContents, emptyDatabase, type Marker } from '../site-database.ts';
import { LOGIN_OPTION, LOGIN_PLUGIN } from './login-plugin.ts';
import { CRON, INSTALL, LOGIN, UPGRADE } from './programs.ts';
import { recogniseWordpress } from './recognise.ts';
import { rewriteWordpress } from './rewrite.ts';
import { wordpressRules } from './rules.ts';
import { prependPath, renderConfig, renderPrepend, renderSettings, settingsPath, TABLE_PREFIX } from './settings.ts';

const OWN_FILES = new Set(['wp-config.php', 'wp-config-sample.php', 'wp-content']);
/** Of the platform's wp-content these are no code, or ours. */
const OWN_CONTENT = new Set(['uploads', 'upgrade', 'cache', 'mu-plugins', 'debug.log']);
const MARKER: Marker = {
  table: `${TABLE_PREFIX}options`,
  sql: `SELECT option_value FROM ${TABLE_PREFIX}options WHERE option_name = 'aegir_installed'`,
};
const LINK_LIFE_MS = 10 * 60_000;
const TOKEN_BYTES = 32;
/** It may go through all the content. */
const UPGRADE_MS = 60 * 60_000;

export function createWordpressApp(): App & Installing & Periodic & Rewriting & Upgrading {
  return {
    name: 'wordpress',
    recognise: recogniseWordpress,
    web: wordpressRules,
    prepare: (site, layout, ctx) => prepare(site, layout, ctx.host),
    remove: async () => [],

    installState: async (site, layout, ctx): Promise<InstallState> => {
      const { tables, marker } = await databaseContents(site, MARKER, layout, ctx);
      if (tables.length === 0) return 'absent';
      // Whose ever it is: a copy or a restored backup bears the mark of the site that it was.
      return marker === null ? 'partial' : 'installed';
    },

    wipe: async (site, layout, ctx) => {
      const { marker } = await databaseContents(site, MARKER, layout, ctx);
      if (marker !== null) {
        throw new AegirError(
          'failed_precondition',
          `cannot empty the database of ${site.name}: it holds an installed site`,
        );
      }
      await emptyDatabase(site, layout, ctx);
    },

    install: async (site, layout, ctx) => {
      const { title, adminName, adminMail, locale } = site;
      const input = { ...loading(site, layout), title, adminName, adminMail, locale, siteId: site.id };
      const answer = (await runPhp(INSTALL, input, layout, `install ${site.name}`, ctx)) as InstallAnswer;
      if (answer.languages !== undefined) {
        const there = ['en_US', ...answer.languages].map((each) => JSON.stringify(each)).join(', ');
        throw new AegirError(
          'failed_precondition',
          `cannot install ${site.name} in ${JSON.stringify(locale)}: ${site.platform?.root ?? 'its platform'} has the languages ` +
            `${there}; choose one, or add that one's files (Debian has them in wordpress-l10n)`,
        );
      }
      ctx.log('info', `WordPress ${answer.version ?? ''} is installed`);
    },

    loginLink: async (site, account, layout, ctx) => {
      const token = randomBytes(TOKEN_BYTES).toString('base64url');
      const expiresAt = new Date(Date.now() + LINK_LIFE_MS);
      const input = {
        ...loading(site, layout),
        account,
        option: LOGIN_OPTION,
        hash: sha256Hex(token),
        expires: Math.floor(expiresAt.getTime() / 1000),
      };
      const answer = (await runPhp(LOGIN, input, layout, `make a login link for ${site.name}`, ctx)) as {
        missing?: boolean;
      };
      if (answer.missing === true) {
        const who = account === '' ? 'an administrator' : `an account ${JSON.stringify(account)}`;
        throw new AegirError('not_found', `cannot make a login link for ${site.name}: it has not ${who}`);
      }
      return { url: `${site.url}/?aegir-login=${token}`, expiresAt };
    },

    cron: async (site, layout, run, ctx) => {
      const answer = await runPhp(CRON, loading(site, layout), layout, `run the cron of ${site.name}`, ctx, run);
      const { ran } = answer as { ran: readonly string[] };
      return ran.length === 0 ? 'no event was due' : `ran ${ran.length}: ${[...new Set(ran)].join(', ')}`;
    },
    secretFiles: (layout) => [settingsPath(layout)],
    rewrite: rewriteWordpress,
    upgrade,
  };
}

interface InstallAnswer {
  readonly version?: string;
  /** Those that are there, when the one that was asked for is not; nothing was done then. */
  readonly languages?: readonly string[];
}

async function upgrade(site: SiteSpec, layout: SiteLayout, ctx: ActionContext): Promise<void> {
  const doing = `upgrade the database of ${site.name}`;
  const told = (await runPhp(UPGRADE, loading(site, layout), layout, doing, ctx, { timeoutMs: UPGRADE_MS })) as {
    done?: boolean;
    newer?: boolean;
    version?: string;
  };
  if (told.newer === true) {
    throw new AegirError(
      'failed_precondition',
      `cannot ${doing}: it is of a newer WordPress than ${site.platform?.root ?? 'its platform'} has; choose a platform as new`,
    );
  }
  ctx.log(
    'info',
    told.done === true ? `the database is that of WordPress ${told.version} now` : 'the database is up to date',
  );
}

function loading(site: Pick<SiteSpec, 'url'>, layout: SiteLayout) {
  return { host: new URL(site.url).host, prepend: prependPath(layout) };
}

async function prepare(site: SiteSpec, layout: SiteLayout, host: Host): Promise<readonly Change[]> {
  const root = site.platform?.root ?? '';
  const { docroot } = layout;
  const content = join(docroot, 'wp-content');
  const plugins = join(content, 'mu-plugins');
  const open = { mode: 0o755, owner: 'root', group: 'root' };
  const published = { mode: 0o444, owner: 'root', group: 'root' };
  const secret = { mode: 0o440, owner: 'root', group: layout.user };
  const changes: Change[] = [];
  for (const path of [content, plugins]) {
    if (await host.files.directoryMatches(path, open)) continue;
    changes.push({ summary: `make directory ${path}`, run: () => host.files.directory(path, open) });
  }
  changes.push(
    ...(await planLinks(
      host,
      await codeLinks(host, root, layout),
      [docroot, content, plugins],
      `the code of ${root} into ${docroot}`,
    )),
    ...(await planFile(host, prependPath(layout), renderPrepend(layout), secret, 'the file that finds the settings')),
    ...(await planFile(
      host,
      settingsPath(layout),
      renderSettings(site, connectionOf(site), layout),
      secret,
      'the settings',
    )),
    ...(await planFile(host, join(docroot, 'wp-config.php'), renderConfig(layout), published, 'wp-config.php')),
    ...(await planFile(host, join(plugins, 'aegir-login.php'), LOGIN_PLUGIN, published, 'the plugin for login links')),
  );
  return changes;
}

async function codeLinks(host: Host, root: string, layout: SiteLayout): Promise<readonly PlannedLink[]> {
  const link = (from: string, to: string) => (name: string) => ({ path: join(to, name), target: join(from, name) });
  const content = join(layout.docroot, 'wp-content');
  const names = (await host.files.list(root)).filter((name) => !name.startsWith('.') && !OWN_FILES.has(name));
  if (names.length === 0)
    throw new AegirError('failed_precondition', `cannot link the code of ${root}: there is none; verify the platform`);
  const contents = (await host.files.list(join(root, 'wp-content'))).filter(
    (name) => !name.startsWith('.') && !OWN_CONTENT.has(name),
  );
  const mustUse = (await host.files.list(join(root, 'wp-content/mu-plugins'))).filter(
    (name) => name !== 'aegir-login.php',
  );
  return [
    ...names.map(link(root, layout.docroot)),
    ...contents.map(link(join(root, 'wp-content'), content)),
    ...mustUse.map(link(join(root, 'wp-content/mu-plugins'), join(content, 'mu-plugins'))),
    { path: join(content, 'uploads'), target: layout.files },
  ];
}
