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
  return { app: 'wordpress', version, docroot: root, phpMinimum: value('required_php_version'), profiles: [] };
}
