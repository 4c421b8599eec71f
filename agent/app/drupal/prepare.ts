// Plans the files and links of a Drupal site: its own directory, which the shared code base's sites/ leads to, and the
// lines in sites.php that every site of a code base shares.
import { join } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import type { SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { Change } from '../../engine/engine.ts';
import type { FileOptions, Host } from '../../host/host.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import { planFile, planLinks } from '../planned-file.ts';
import { connectionOf } from '../site-database.ts';
import {
  codeLink,
  configSync,
  namesPath,
  ownDirectory,
  prependPath,
  privateFiles,
  settingsPath,
  sitesEntry,
} from './places.ts';
import { type CodeBase, codeBaseOf } from './recognise.ts';
import { renderSettings } from './settings.ts';
import { AEGIR_SITES_PHP, readsOurs, renderNames, renderPrepend, SITES_FILE, SITES_PHP } from './sites-php.ts';

const OPEN: FileOptions = { mode: 0o755, owner: 'root', group: 'root' };
const CLOSED: FileOptions = { mode: 0o555, owner: 'root', group: 'root' };
const PUBLISHED: FileOptions = { mode: 0o444, owner: 'root', group: 'root' };

/** The entry in sites/ comes last: until then no request and no drush finds a half-made site. */
export async function planSite(site: SiteSpec, layout: SiteLayout, host: Host): Promise<readonly Change[]> {
  const code = await codeBaseOf(site, host);
  const secret: FileOptions = { mode: 0o440, owner: 'root', group: layout.user };
  const own: FileOptions = { mode: 0o700, owner: layout.user, group: layout.user };
  const settings = renderSettings(code.line, site, connectionOf(site), layout);
  const directory = ownDirectory(layout);
  const inside = [
    ...(await planFile(host, settingsPath(layout), settings, secret, 'the settings')),
    ...(await planFile(host, namesPath(layout), renderNames(site), PUBLISHED, 'the names for command lines')),
    ...(await planLinks(
      host,
      [
        { path: codeLink(layout), target: code.docroot },
        { path: join(directory, 'files'), target: layout.files },
      ],
      [layout.docroot, directory],
      `the code of ${code.docroot} and the files into ${layout.docroot}`,
    )),
  ];
  // Older Drupal 7 takes the right to write away where it can, which is where all sites are one user; it is put back when
  // there is something to write.
  const closed = inside.length === 0 && (await host.files.directoryMatches(directory, CLOSED));
  return [
    // Drupal and its installer want to write here, and cannot: it is root's.
    ...(closed ? [] : await planDirectory(host, directory, OPEN)),
    ...(await planDirectory(host, privateFiles(layout), own)),
    ...(await planDirectory(host, configSync(layout), own)),
    ...(await planFile(host, prependPath(layout), renderPrepend(site), secret, 'the file that names the site')),
    ...inside,
    ...(await planSitesPhp(code, host)),
    ...(await planEntry(code, layout, host)),
  ];
}

/** The code base's entry; the rest goes with the site's root. sites.php stays: other sites read it, now or next. */
export async function planSiteRemoval(site: SiteSpec, layout: SiteLayout, host: Host): Promise<readonly Change[]> {
  // Of the platform may be nothing left.
  const code = await codeBaseOf(site, host).catch((error: unknown) => {
    if (error instanceof AegirError && error.code === 'failed_precondition') return undefined;
    throw error;
  });
  if (code === undefined) return [];
  const path = sitesEntry(code.docroot, layout);
  if ((await host.files.readLink(path)) !== ownDirectory(layout)) return [];
  return [{ summary: `remove ${path}`, run: () => host.files.remove(path) }];
}

async function planDirectory(host: Host, path: string, options: FileOptions): Promise<readonly Change[]> {
  const known =
    options.owner === undefined || options.owner === 'root' || (await host.users.lookup(options.owner)) !== undefined;
  if (known && (await host.files.directoryMatches(path, options))) return [];
  return [{ summary: `make directory ${path}`, run: () => host.files.directory(path, options) }];
}

async function planSitesPhp(code: CodeBase, host: Host): Promise<readonly Change[]> {
  const directory = join(code.docroot, 'sites');
  const path = join(directory, 'sites.php');
  const there = await host.files.read(path);
  if (there !== undefined && !readsOurs(there)) {
    throw new AegirError(
      'failed_precondition',
      `cannot put a site on ${code.root}: its own ${path} would not find it; add at its end the line: include __DIR__ . '/${SITES_FILE}';`,
    );
  }
  return [
    ...(await planFile(host, join(directory, SITES_FILE), AEGIR_SITES_PHP, PUBLISHED, 'the file that finds sites')),
    ...(there === undefined ? await planFile(host, path, SITES_PHP, PUBLISHED, 'sites.php') : []),
  ];
}

async function planEntry(code: CodeBase, layout: SiteLayout, host: Host): Promise<readonly Change[]> {
  const path = sitesEntry(code.docroot, layout);
  const target = ownDirectory(layout);
  const link = await host.files.readLink(path);
  if (link === target) return [];
  if (link === undefined && (await host.files.exists(path))) {
    throw new AegirError(
      'failed_precondition',
      `cannot put a site on ${code.root}: ${path} is there and no link of ours; move it away`,
    );
  }
  return [{ summary: `link ${path} to ${target}`, run: () => host.files.link(target, path) }];
}
