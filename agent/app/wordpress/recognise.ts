// Whether a directory is WordPress, and which: its version file read as text, never run.
import { join } from 'node:path';
import type { PlatformFacts } from '../../../shared/gen/aegir/v1/agent.ts';
import type { Host } from '../../host/host.ts';

export async function recogniseWordpress(root: string, host: Host): Promise<PlatformFacts | undefined> {
  const text = await host.files.read(join(root, 'wp-includes/version.php'));
  if (text === undefined || !(await host.files.exists(join(root, 'wp-settings.php')))) return undefined;
  const value = (name: string) => new RegExp(`^\\$${name}\\s*=\\s*'([0-9A-Za-z.-]{1,32})'`, 'm').exec(text)?.[1] ?? '';
  const version = value('wp_version');
  if (version === '') return undefined;
  const facts = { app: 'wordpress', version, docroot: root, phpMinimum: value('required_php_version'), profiles: [] };
  return { ...facts, languages: await languagesOf(root, host) };
}

/** As its get_available_languages() finds them, and the one that needs no file. */
async function languagesOf(root: string, host: Host): Promise<string[]> {
  const [own, core] = await Promise.all(
    ['wp-content', 'wp-includes'].map((directory) => host.files.list(join(root, directory, 'languages'))),
  );
  const names = own?.length === 0 ? (core ?? []) : (own ?? []);
  const found = names.flatMap(
    (name) => /^(?!continents-cities|ms-|admin-)([A-Za-z_]{2,20}(?:_[a-z0-9]+)?)\.mo$/.exec(name)?.[1] ?? [],
  );
  return ['en_US', ...found.filter((locale) => locale !== 'en_US').sort()];
}
