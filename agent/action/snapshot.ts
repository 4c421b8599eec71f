// take_snapshot: keeps a part of a site as it is now, for others to fetch. drop_snapshot: forgets it.
import { byteSize } from '../../shared/byte-size.ts';
import { AegirError } from '../../shared/error.ts';
import { sitePlace } from '../backup/site-owners.ts';
import type { CallOptions } from '../backup/workers.ts';
import { type ActionContext, type ChangeFacts, canDump, type DumpFacts } from '../engine/engine.ts';
import type { RequestOf } from '../validate.ts';
import { type ActionHandler, typedEngineFor } from './action.ts';
import { replicatingByParts } from './replica.ts';

export function createTakeSnapshot(): ActionHandler<'takeSnapshot'> {
  return {
    kind: 'takeSnapshot',
    label: ({ part }) => `take-snapshot-${part.of}`,
    async run({ snapshotId, site, part }, ctx, tools) {
      const { snapshots } = tools.backups;
      const options = optionsOf(ctx);
      if (part.of === 'files') {
        const place = await sitePlace(site, part.trees, ctx.host);
        const snapshot = await snapshots.takeFiles(snapshotId, place, part.last, options);
        return { changes: [], snapshot };
      }
      const { service, db } = part;
      if (part.of === 'changes') {
        const engine = replicatingByParts(tools, service);
        let told: ChangeFacts = { position: '', transactions: 0 };
        const changes = engine.changes(service, db, part.position, ctx, (facts) => {
          told = facts;
        });
        const facts = async () => ({ entries: told.transactions, position: told.position });
        return { changes: [], snapshot: await snapshots.takeDump(snapshotId, changes, facts, options) };
      }
      const engine = typedEngineFor(tools, service, 'db');
      if (!canDump(engine)) throw noDumps(service.id, engine.name);
      let position = '';
      const tell = (told: DumpFacts) => {
        position = told.position;
      };
      const dump = engine.dump(service, db, ctx, part.placed ? tell : undefined);
      const facts = async () => ({ entries: (await engine.content(service, db, ctx)).tables, position });
      const snapshot = await snapshots.takeDump(snapshotId, dump, facts, options);
      return { changes: [], snapshot };
    },
  };
}

export function createDropSnapshot(): ActionHandler<'dropSnapshot'> {
  return {
    kind: 'dropSnapshot',
    label: () => 'drop-snapshot',
    async run({ snapshotId, keepFor }: RequestOf['dropSnapshot'], _ctx, tools) {
      const { snapshots, former } = tools.backups;
      if (keepFor !== '') await former.keepDump(keepFor, snapshots.packOf(snapshotId));
      await snapshots.drop(snapshotId);
      return { changes: [] };
    },
  };
}

export function noDumps(serviceId: string, engine: string): AegirError {
  return new AegirError(
    'failed_precondition',
    `cannot dump a database of service ${serviceId}: ${engine} cannot; update the agent`,
  );
}

function optionsOf(ctx: ActionContext): CallOptions {
  return {
    signal: ctx.signal,
    // How many there are shows at the end.
    onProgress: (bytes) => ctx.progress(0, `${byteSize(bytes)} kept`),
    onWarning: (text) => ctx.log('warn', text),
  };
}
