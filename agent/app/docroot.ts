// Where a code base without rules of its own keeps what the web may see.
import { join } from 'node:path';
import type { Host } from '../host/host.ts';

const PLACES = ['public', 'web', 'html', 'htdocs', 'docroot', '.'] as const;

/** The first usual place that holds one of the files; undefined when none does. */
export async function findDocroot(root: string, host: Host, files: readonly string[]): Promise<string | undefined> {
  for (const place of PLACES) {
    const docroot = join(root, place);
    for (const file of files) if (await host.files.exists(join(docroot, file))) return docroot;
  }
  return undefined;
}
