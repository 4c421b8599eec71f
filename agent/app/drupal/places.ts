// Where the parts of a Drupal site lie on its web server. Pure.
//
//   <docroot of the code base>/sites/<site-id>  -> docroot/own      what Drupal calls the site's directory
//   <docroot of the code base>/sites/sites.php  leads every request of the site's pool there
//   <site>/docroot/code  -> document root of the code base, which all its sites share
//   <site>/docroot/own/  settings.php, names.php, files -> ../../files
//   <site>/config/prepend.php   tells the pool which site it is
import { basename, join } from 'node:path';
import type { SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { SiteLayout } from '../../host/site-layout.ts';

/** Name of the site's directory under sites/: its id, which never changes, unlike its domain. */
export const siteName = (layout: SiteLayout) => basename(layout.root);
export const codeLink = (layout: SiteLayout) => join(layout.docroot, 'code');
export const ownDirectory = (layout: SiteLayout) => join(layout.docroot, 'own');
export const settingsPath = (layout: SiteLayout) => join(ownDirectory(layout), 'settings.php');
export const namesPath = (layout: SiteLayout) => join(ownDirectory(layout), 'names.php');
export const prependPath = (layout: SiteLayout) => join(layout.config, 'prepend.php');
/** An operator's own settings, read last; only root can make it. */
export const localSettingsPath = (layout: SiteLayout) => join(layout.config, 'local.settings.php');
/** Directory that the code base's sites.php leads to. */
export const sitesEntry = (docroot: string, layout: SiteLayout) => join(docroot, 'sites', siteName(layout));
export const privateFiles = (layout: SiteLayout) => join(layout.private, 'files');
export const configSync = (layout: SiteLayout) => join(layout.private, 'config');
/** Compiled templates: PHP that the site writes, so never below what the web serves. */
export const compiled = (layout: SiteLayout) => join(layout.tmp, 'php');

/** What programs need to find the site. */
export function ground(site: Pick<SiteSpec, 'id' | 'url'>, code: { readonly docroot: string }) {
  return { docroot: code.docroot, siteId: site.id, url: site.url };
}
