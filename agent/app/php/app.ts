// The app php: any PHP code base with an index.php. Every site on it is the same code with its own database and files.
//
// The code finds what is the site's in constants that a prepended file defines: AEGIR_SITE_ID, AEGIR_SITE_URL,
// AEGIR_FILES, AEGIR_PRIVATE, AEGIR_SALT and, with a database, AEGIR_DB_DRIVER (mysql or pgsql, as PDO calls them), _HOST,
// _PORT, _SOCKET, _NAME, _USER, _PASSWORD. By a socket mysql takes _SOCKET; pgsql takes _HOST and _PORT always, which are
// the socket's directory and number then.
//
// What it has to do now and then it does in aegir-cron.php, in the root of the code base: a script for the command line
// with the same constants, which the web never sees.
import { join } from 'node:path';
import type { SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import type { App, Periodic } from '../app.ts';
import { DEVELOPER_FILES } from '../developer-files.ts';
import { findDocroot } from '../docroot.ts';
import { pgsqlPlace } from '../pgsql-place.ts';
import { runScript } from '../php-cli.ts';
import { phpDefine } from '../php-literal.ts';
import { planFile, planLinks } from '../planned-file.ts';

const prependPath = (layout: SiteLayout) => join(layout.config, 'settings.php');

const CRON_SCRIPT = 'aegir-cron.php';

export function createPhpApp(): App & Periodic {
  return {
    name: 'php',
    recognise: async (root, host) => {
      const docroot = await findDocroot(root, host, ['index.php']);
      if (docroot === undefined) return undefined;
      const phpMinimum = phpOfComposer(await host.files.read(join(root, 'composer.json')));
      return { app: 'php', version: '', docroot, phpMinimum, profiles: [], languages: [] };
    },
    web: (platform, layout) => ({
      docroot: `${layout.docroot}/site`,
      deny: [
        ...DEVELOPER_FILES,
        { pattern: `/${CRON_SCRIPT.replace('.', '\\.')}$`, why: 'run by Aegir, not from the web' },
      ],
      aliases: [{ prefix: '/files/', directory: `${layout.files}/` }],
      index: ['index.php', 'index.html'],
      // Nobody knows what its code writes, and when.
      spread: { paths: ['^/files/'], except: [], cookies: [] },
      php: {
        scripts: ['^/(?!files/)[^.]*\\.php$'],
        frontController: '/index.php',
        prepend: prependPath(layout),
        openBasedir: [platform.root],
      },
    }),
    prepare: async (site, layout, { host }) => {
      const root = site.platform?.root ?? '';
      const target = (await findDocroot(root, host, ['index.php'])) ?? root;
      const secret = { mode: 0o440, owner: 'root', group: layout.user };
      return [
        ...(await planLinks(
          host,
          [{ path: join(layout.docroot, 'site'), target }],
          [layout.docroot],
          `the code of ${root} into ${layout.docroot}`,
        )),
        ...(await planFile(host, prependPath(layout), renderSettings(site, layout), secret, 'the settings')),
      ];
    },
    remove: async () => [],
    cron: async (site, layout, run, ctx) => {
      const script = join(site.platform.root, CRON_SCRIPT);
      if (!(await ctx.host.files.exists(script))) return undefined;
      await runScript(script, layout, `run the cron of ${site.name}`, ctx, run);
      return `${CRON_SCRIPT} ran`;
    },
    secretFiles: (layout) => [prependPath(layout)],
  };
}

export function renderSettings(site: SiteSpec, layout: SiteLayout): string {
  const { db } = site;
  const place = db?.driver === 'pgsql' ? pgsqlPlace(db) : db;
  const database =
    db === undefined
      ? []
      : [
          phpDefine('AEGIR_DB_DRIVER', db.driver),
          phpDefine('AEGIR_DB_HOST', place?.host ?? ''),
          phpDefine('AEGIR_DB_PORT', place?.port ?? 0),
          phpDefine('AEGIR_DB_SOCKET', db.socket),
          phpDefine('AEGIR_DB_NAME', db.database),
          phpDefine('AEGIR_DB_USER', db.user),
          phpDefine('AEGIR_DB_PASSWORD', db.password),
        ];
  return [
    '<?php\n// Written by Aegir, which restores it when it is changed by hand.\n',
    phpDefine('AEGIR_SITE_ID', site.id),
    phpDefine('AEGIR_SITE_URL', site.url),
    phpDefine('AEGIR_FILES', layout.files),
    phpDefine('AEGIR_PRIVATE', layout.private),
    phpDefine('AEGIR_SALT', site.salt),
    ...database,
  ].join('');
}

/** "require": {"php": ">=8.1"} names the smallest version it takes. */
function phpOfComposer(text: string | undefined): string {
  if (text === undefined) return '';
  try {
    const { require } = JSON.parse(text) as { require?: { php?: unknown } };
    return /[0-9]+\.[0-9]+/.exec(String(require?.php ?? ''))?.[0] ?? '';
  } catch {
    // Not ours to judge: a code base may have a file of that name that is no JSON.
    return '';
  }
}
