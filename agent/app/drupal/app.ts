// The app drupal: many sites on one shared, read-only code base, by Drupal's own multisite. Installs by the code base's
// drush, or by Drupal's own installer where there is none.
import { AegirError } from '../../../shared/error.ts';
import type { SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext } from '../../engine/engine.ts';
import type { Host } from '../../host/host.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import type { App, Installing, InstallState, Periodic, Rewriting, Upgrading } from '../app.ts';
import { runPhp } from '../php-cli.ts';
import { connectionOf, databaseContents, emptyDatabase, type Marker } from '../site-database.ts';
import { findDrush, installByDrush } from './drush.ts';
import { drupalLangcode } from './locale.ts';
import { ground, localSettingsPath, settingsPath } from './places.ts';
import { planSite, planSiteRemoval } from './prepare.ts';
import { findProfiles } from './profiles.ts';
import { CRON_MODERN, CRON_SEVEN, INSTALL_MODERN, INSTALL_SEVEN, LOGIN_MODERN, LOGIN_SEVEN } from './programs.ts';
import { type CodeBase, codeBaseOf, recogniseDrupal } from './recognise.ts';
import { drupalRules } from './rules.ts';
import { rewriteDrupal, upgradeDrupal } from './upgrade.ts';

/** The installer writes the name of each task that it has done, and in the end this word: serialized by PHP. */
const DONE = 's:4:"done";';
const MARKERS: Readonly<Record<7 | 8, Marker>> = {
  7: { table: 'variable', sql: "SELECT value FROM variable WHERE name = 'install_task'" },
  8: {
    table: 'key_value',
    sql: "SELECT value FROM key_value WHERE collection = 'state' AND name = 'install_task'",
  },
};

export function createDrupalApp(): App & Installing & Periodic & Rewriting & Upgrading {
  return {
    name: 'drupal',
    recognise: recogniseDrupal,
    web: drupalRules,
    prepare: (site, layout, ctx) => planSite(site, layout, ctx.host),
    remove: (site, layout, ctx) => planSiteRemoval(site, layout, ctx.host),
    installState,

    wipe: async (site, layout, ctx) => {
      if ((await installState(site, layout, ctx)) === 'installed') {
        throw new AegirError(
          'failed_precondition',
          `cannot empty the database of ${site.name}: it holds an installed site`,
        );
      }
      await emptyDatabase(site, layout, ctx);
    },

    install: async (site, layout, ctx) => {
      const code = await codeBaseOf(site, ctx.host);
      const profile = await profileOf(site, code, ctx);
      const drush = (await drushCarries(site, ctx.host)) ? await findDrush(code, ctx.host) : undefined;
      const mail = site.adminMail === '' ? `admin@${site.name}` : site.adminMail;
      const account = { name: site.adminName || 'admin', mail, locale: drupalLangcode(site.locale), profile };
      if (drush === undefined) {
        ctx.log('info', `the code base has no drush that can: installing by Drupal's own installer`);
        const input = {
          ...ground(site, code),
          ...{ title: site.title || site.name, adminName: account.name, adminMail: mail },
          ...{ profile, locale: account.locale },
        };
        await runPhp(code.line === 7 ? INSTALL_SEVEN : INSTALL_MODERN, input, layout, `install ${site.name}`, ctx);
      } else {
        ctx.log('info', `installing by ${drush.path}`);
        await installByDrush(drush, code, { ...site, title: site.title || site.name }, account, layout, ctx);
      }
      // Both have been seen to end well over a site that was not there.
      if ((await installState(site, layout, ctx)) !== 'installed') {
        throw new AegirError(
          'internal',
          `cannot install ${site.name}: the installer of Drupal ${code.version} ended without a word and left the site unfinished; look at its messages and try again`,
        );
      }
      ctx.log('info', `Drupal ${code.version} is installed with profile ${profile}`);
    },

    loginLink: async (site, account, layout, ctx) => {
      const code = await codeBaseOf(site, ctx.host);
      const input = { ...ground(site, code), account };
      const program = code.line === 7 ? LOGIN_SEVEN : LOGIN_MODERN;
      const answer = (await runPhp(program, input, layout, `make a login link for ${site.name}`, ctx)) as {
        missing?: boolean;
        blocked?: boolean;
        url?: string;
        expires?: number;
      };
      const who = account === '' ? 'the first administrator' : `account ${JSON.stringify(account)}`;
      const refuse = (why: string, code: 'not_found' | 'failed_precondition' | 'internal'): never => {
        throw new AegirError(code, `cannot make a login link for ${site.name}: ${why}`);
      };
      if (answer.missing === true) return refuse(`it has not ${who}`, 'not_found');
      if (answer.blocked === true) return refuse(`${who} is blocked; unblock it first`, 'failed_precondition');
      const { url = '', expires = 0 } = answer;
      // A module that rewrites addresses must not send the secret elsewhere.
      if (!url.startsWith(`${site.url}/`)) return refuse('Drupal made it for another address', 'internal');
      return { url, expiresAt: new Date(expires * 1000) };
    },

    cron: async (site, layout, run, ctx) => {
      const code = await codeBaseOf(site, ctx.host);
      const program = code.line === 7 ? CRON_SEVEN : CRON_MODERN;
      const doing = `run the cron of ${site.name}`;
      const { ran } = (await runPhp(program, ground(site, code), layout, doing, ctx, run)) as { ran: boolean };
      if (ran) return `cron of Drupal ${code.version} ran`;
      throw new AegirError(
        'unavailable',
        `cannot ${doing}: Drupal says that another run of it is under way; one that died is forgotten after 15 minutes`,
      );
    },
    secretFiles: (layout) => [settingsPath(layout), localSettingsPath(layout)],
    rewrite: rewriteDrupal,
    upgrade: upgradeDrupal,
  };
}

async function installState(site: SiteSpec, layout: SiteLayout, ctx: ActionContext): Promise<InstallState> {
  const code = await codeBaseOf(site, ctx.host);
  const { tables, marker } = await databaseContents(site, MARKERS[code.line], layout, ctx);
  if (tables.length === 0) return 'absent';
  return marker === DONE ? 'installed' : 'partial';
}

/**
 * Drush writes the password into an option file of the database's client program as it stands, where many characters mean
 * something. The web server needs that program for it.
 */
async function drushCarries(site: SiteSpec, host: Host): Promise<boolean> {
  const { driver, password } = connectionOf(site);
  if (!/^[A-Za-z0-9._~-]+$/.test(password)) return false;
  return driver === 'mysql' || (await host.which('psql')) !== undefined;
}

async function profileOf(site: SiteSpec, code: CodeBase, ctx: ActionContext): Promise<string> {
  const profiles = await findProfiles(code, ctx.host);
  const wanted = site.profile || 'standard';
  if (profiles.includes(wanted)) return wanted;
  const [first] = profiles;
  if (site.profile === '' && first !== undefined) return first;
  throw new AegirError(
    'failed_precondition',
    `cannot install ${site.name}: Drupal ${code.version} at ${code.root} has no install profile ${JSON.stringify(wanted)}; choose one of ${profiles.join(', ')}`,
  );
}
