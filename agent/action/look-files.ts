// look-files: what a site's files are, by what the file system says of them, so that whoever looks again sees a change.
import { AegirError } from '../../shared/error.ts';
import { sitePlace } from '../backup/site-owners.ts';
import type { ActionHandler } from './action.ts';

export function createLookFiles(): ActionHandler<'lookFiles'> {
  return {
    kind: 'lookFiles',
    label: () => 'look-files',
    async run({ siteId, trees }, ctx, tools) {
      const place = await sitePlace({ id: siteId, name: siteId, sharedRoot: '' }, trees, ctx.host);
      const files = await tools.backups.snapshots.look(place, { signal: ctx.signal });
      if (files.digest.length === 0) throw new AegirError('internal', 'cannot look at files: nothing was told');
      return { changes: [], files };
    },
  };
}
