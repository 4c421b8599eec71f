// Whether a directory is Drupal, which, and where its document root lies: read as text, never run.
import { join } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import type { PlatformFacts } from '../../../shared/gen/aegir/v1/agent.ts';
import type { SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { Host } from '../../host/host.ts';
import { jsonAt } from './json-at.ts';
import { findProfiles } from './profiles.ts';

export interface CodeBase {
  readonly root: string;
  readonly docroot: string;
  /** Drupal's own version, for example 10.3.1. */
  readonly version: string;
  /** 7, or 8 for everything after it: what they ask of us is the same. */
  readonly line: 7 | 8;
  /** For example "8.1"; empty when it states none. */
  readonly phpMinimum: string;
}

/** Where a document root is usual, the code base's own word (composer.json) before all. */
const PLACES = ['.', 'web', 'docroot', 'html', 'public', 'htdocs'];

export async function recogniseDrupal(root: string, host: Host): Promise<PlatformFacts | undefined> {
  const code = await findCodeBase(root, host);
  if (code === undefined) return undefined;
  const { docroot, version, phpMinimum } = code;
  return {
    app: 'drupal',
    version,
    docroot,
    phpMinimum,
    profiles: [...(await findProfiles(code, host))],
    languages: [],
  };
}

export async function findCodeBase(root: string, host: Host): Promise<CodeBase | undefined> {
  for (const place of [...(await scaffoldedPlaces(root, host)), ...PLACES]) {
    const docroot = join(root, place);
    const found = (await readModern(docroot, host)) ?? (await readSeven(docroot, host));
    if (found !== undefined) return { root, docroot, ...found };
  }
  return undefined;
}

/** The site's code base; it was there when the platform was verified. */
export async function codeBaseOf(site: Pick<SiteSpec, 'name' | 'platform'>, host: Host): Promise<CodeBase> {
  const root = site.platform?.root ?? '';
  const code = await findCodeBase(root, host);
  if (code !== undefined) return code;
  throw new AegirError(
    'failed_precondition',
    `cannot use ${root} for ${site.name}: it holds no Drupal; verify the platform`,
  );
}

type Found = Pick<CodeBase, 'version' | 'line' | 'phpMinimum'>;

async function readModern(docroot: string, host: Host): Promise<Found | undefined> {
  const text = await host.files.read(join(docroot, 'core/lib/Drupal.php'));
  const version = text === undefined ? undefined : /^\s*const VERSION = '([0-9A-Za-z.+-]{1,32})';/m.exec(text)?.[1];
  if (text === undefined || version === undefined) return undefined;
  if (!(await host.files.exists(join(docroot, 'index.php')))) return undefined;
  // Drupal 8 has it in another file than later ones.
  const older = (await host.files.read(join(docroot, 'core/includes/bootstrap.inc'))) ?? '';
  return { version, line: 8, phpMinimum: minimum(`${text}\n${older}`) };
}

async function readSeven(docroot: string, host: Host): Promise<Found | undefined> {
  const text = await host.files.read(join(docroot, 'includes/bootstrap.inc'));
  const version =
    text === undefined ? undefined : /^define\('VERSION', '(7\.[0-9A-Za-z.+-]{1,30})'\);/m.exec(text)?.[1];
  if (text === undefined || version === undefined) return undefined;
  if (!(await host.files.exists(join(docroot, 'modules/system/system.module')))) return undefined;
  return { version, line: 7, phpMinimum: minimum(text) };
}

/** const MINIMUM_PHP = '8.1.0' (9 and later), const DRUPAL_MINIMUM_PHP = '7.0.8' (8), define(…, '5.3.3') (7). */
function minimum(text: string): string {
  const stated = /^\s*(?:const\s+(?:DRUPAL_)?MINIMUM_PHP\s*=|define\('DRUPAL_MINIMUM_PHP',)\s*'([0-9]+\.[0-9]+)/m;
  return stated.exec(text)?.[1] ?? '';
}

/** drupal/core-composer-scaffold is told where the document root is; names of directories below the root only. */
async function scaffoldedPlaces(root: string, host: Host): Promise<readonly string[]> {
  const text = await host.files.read(join(root, 'composer.json'));
  const place = jsonAt(text, ['extra', 'drupal-scaffold', 'locations', 'web-root']);
  if (typeof place !== 'string' || !/^(?:\.\/)?(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/?){1,8}$/.test(place)) return [];
  return [place.replace(/\/$/, '')];
}
