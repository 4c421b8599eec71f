// When a name is taken by a virtual host of Aegir's own that is another site's: the master lets no two sites have one name, so
// it does not know that site, as after an older copy of it was brought back.
import { join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { Host } from '../../../host/host.ts';
import { siteOfFile } from './complaint.ts';

/** An error that says so; undefined when none of ours has the names. Reads only. */
export async function leftoverFault(
  host: Host,
  includeDir: string,
  site: { readonly siteId: string; readonly name: string },
  taken: readonly string[],
): Promise<AegirError | undefined> {
  for (const file of await host.files.list(includeDir)) {
    const siteId = siteOfFile(file);
    if (siteId === undefined || siteId === site.siteId) continue;
    const path = join(includeDir, file);
    const words = new Set(((await host.files.read(path)) ?? '').split(/[\s;"']+/));
    const held = taken.filter((name) => words.has(name));
    if (held.length === 0) continue;
    return new AegirError(
      'already_exists',
      `cannot serve ${site.name}: this server already serves ${held.join(', ')} for ${siteId}, which is a leftover of Aegir's ` +
        `own: the master does not know it, as after an older copy of the master was brought back; bring back a newer copy, ` +
        `or remove ${path} and what else aegir server verify names of ${siteId}; nothing was changed`,
    );
  }
  return undefined;
}
