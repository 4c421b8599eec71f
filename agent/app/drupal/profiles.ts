// Which install profiles a Drupal code base offers; hidden ones (those for tests) are left out.
import { join } from 'node:path';
import type { Host } from '../../host/host.ts';
import type { CodeBase } from './recognise.ts';

const PLACES = {
  7: ['profiles'],
  8: ['core/profiles', 'profiles', 'profiles/contrib', 'profiles/custom'],
} as const;
const MOST = 200;
const HIDDEN = { 7: /^\s*hidden\s*=\s*(?:TRUE|1)\b/im, 8: /^hidden:\s*true\b/im } as const;
const NAME = /^[a-z][a-z0-9_]{0,63}$/;

export async function findProfiles(code: Pick<CodeBase, 'docroot' | 'line'>, host: Host): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const place of PLACES[code.line]) {
    const directory = join(code.docroot, place);
    for (const name of (await host.files.list(directory)).slice(0, MOST)) {
      if (!NAME.test(name)) continue;
      const suffix = code.line === 7 ? '.info' : '.info.yml';
      const info = await host.files.read(join(directory, name, `${name}${suffix}`));
      if (info === undefined || HIDDEN[code.line].test(info)) continue;
      if (code.line === 8 && !/^type:\s*['"]?profile\b/m.test(info)) continue;
      found.add(name);
    }
  }
  return [...found].sort();
}
