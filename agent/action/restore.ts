// restore_files, restore_database, apply_changes: fetch a part over the mesh and make it what the site has here.
import { byteSize } from '../../shared/byte-size.ts';
import type { PartSource } from '../../shared/gen/aegir/v1/backup.ts';
import type { RestoreOptions } from '../backup/restores.ts';
import { sitePlace } from '../backup/site-owners.ts';
import { type ActionContext, canDump } from '../engine/engine.ts';
import { type ActionHandler, type Tools, typedEngineFor } from './action.ts';
import { replicatingByParts } from './replica.ts';
import { noDumps } from './snapshot.ts';

export function createRestoreFiles(): ActionHandler<'restoreFiles'> {
  return {
    kind: 'restoreFiles',
    label: ({ fetchOnly }) => (fetchOnly ? 'restore-files-fetch' : 'restore-files'),
    async run({ site, source, trees, fetchOnly }, ctx, tools) {
      const place = await sitePlace(site, trees, ctx.host);
      const options = optionsOf(source, ctx, tools);
      const restore = await tools.backups.restores.files(site.id, place, fetchOnly, options);
      const done = restore.complete && !fetchOnly;
      return { restore, changes: done ? [`restore the files of ${site.name}: ${restore.written} written`] : [] };
    },
  };
}

export function createRestoreDatabase(): ActionHandler<'restoreDatabase'> {
  return {
    kind: 'restoreDatabase',
    label: () => 'restore-database',
    async run({ service, db, source, again }, ctx, tools) {
      const engine = typedEngineFor(tools, service, 'db');
      if (!canDump(engine)) throw noDumps(service.id, engine.name);
      const feed = async (dump: AsyncIterable<Uint8Array>) => {
        await engine.restore(service, db, dump, ctx);
        return (await engine.content(service, db, ctx)).tables;
      };
      const restore = await tools.backups.restores.dump(db.siteId, feed, optionsOf(source, ctx, tools), again);
      const done = `restore database ${db.database}: ${restore.written} tables`;
      return { restore, changes: restore.complete ? [done] : [] };
    },
  };
}

export function createApplyChanges(): ActionHandler<'applyChanges'> {
  return {
    kind: 'applyChanges',
    label: () => 'apply-changes',
    async run({ service, db, source, from }, ctx, tools) {
      const engine = replicatingByParts(tools, service);
      const feed = (changes: AsyncIterable<Uint8Array>) => engine.applyChanges(service, db, from, changes, ctx);
      // Beside what a restore of the database keeps.
      const restore = await tools.backups.restores.dump(`${db.siteId}-changes`, feed, optionsOf(source, ctx, tools));
      return { restore, changes: [] };
    },
  };
}

function optionsOf(source: PartSource, ctx: ActionContext, tools: Tools): RestoreOptions {
  return {
    ...{ transfers: tools.transfers, source, signal: ctx.signal },
    onLooked: (bytes) => ctx.progress(0, `${byteSize(bytes)} of what is here looked at`),
    onTransfer({ bytes, totalBytes, bytesPerSecond }) {
      const rate = bytesPerSecond === 0 ? '' : `, ${byteSize(bytesPerSecond)}/s`;
      ctx.progress((0.7 * bytes) / Math.max(1, totalBytes), `${byteSize(bytes)} of ${byteSize(totalBytes)}${rate}`, {
        ...{ bytes: BigInt(bytes), totalBytes: BigInt(totalBytes), bytesPerSecond: BigInt(bytesPerSecond) },
      });
    },
    onRestored: (bytes) => ctx.progress(0.7, `${byteSize(bytes)} in their place`),
    onWarning: (text) => ctx.log('warn', text),
  };
}
