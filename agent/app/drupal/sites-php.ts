// How a request finds its site in a code base that many share. Pure.
//
// Drupal asks sites/sites.php, which maps host names to directories. A file with everybody's names would be written for
// each site by another task; ours is the same for all of them: the pool says which site it serves (a constant that its
// prepended file defines), so that no Host header leads to another site's settings either.
import type { SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import { phpDefine, phpString } from '../php-literal.ts';

export const SITES_FILE = 'aegir.sites.php';
/** Environment of our own command lines; those of the web are asked for the constant. */
export const SITE_VARIABLE = 'AEGIR_SITE';

const HEADER = '<?php\n// Written by Aegir, which restores it when it is changed by hand.\n';

/** sites/sites.php, where the code base has none of its own. */
export const SITES_PHP = `${HEADER}include __DIR__ . '/${SITES_FILE}';\n`;

/** Runs inside of a function of Drupal's: $sites is that function's. Of a host name only what stands before the port counts. */
export const AEGIR_SITES_PHP = `${HEADER}
if (defined('${SITE_VARIABLE}')) {
  $aegir_site = ${SITE_VARIABLE};
}
elseif (PHP_SAPI === 'cli') {
  $aegir_site = (string) getenv('${SITE_VARIABLE}');
  // A person's drush --uri=NAME finds the site by its names.
  foreach ($aegir_site === '' ? (array) glob(__DIR__ . '/site-*/names.php') : array() as $aegir_names) {
    $sites = (array) (include $aegir_names) + $sites;
  }
}
else {
  $aegir_site = '';
}
if ($aegir_site !== '' && isset($_SERVER['HTTP_HOST'])) {
  $sites[strtolower(rtrim(preg_replace('/:[0-9]+$/', '', $_SERVER['HTTP_HOST']), '.'))] = $aegir_site;
}
unset($aegir_site, $aegir_names);
`;

export function renderPrepend(site: SiteSpec): string {
  return `${HEADER}${phpDefine(SITE_VARIABLE, site.id)}`;
}

/** Names of the site for command lines. */
export function renderNames(site: SiteSpec): string {
  const names = [...new Set([site.name, ...site.aliases, new URL(site.url).hostname])];
  const lines = names.map((name) => `  ${phpString(name)} => ${phpString(site.id)},\n`);
  return `${HEADER}return array(\n${lines.join('')});\n`;
}

/** Whether a sites.php that is not ours lets ours be heard. */
export function readsOurs(text: string): boolean {
  return text.includes(SITES_FILE);
}
