// The steps that keep a database as it is: its user locked out, and its content kept so that it can come back.
import type { Place } from '../../plan/plan.ts';
import type { ActionRequest } from '../../session/agents.ts';
import type { StepHandler } from '../handler.ts';
import {
  dropSnapshots,
  MOST_ATTEMPTS,
  performWhole,
  snapshotId,
  snapshotSource,
  takeSnapshot,
  told,
} from '../part-copy.ts';
import { type HandlerDeps, readParts, readService, refOf } from '../parts.ts';
import { perform } from '../perform.ts';
import { dbSpec, siteSpec } from '../spec.ts';
import { databasePart } from './copy.ts';

/** For the web servers of the place and no others, whose connections end. */
async function applyFor(
  deps: HandlerDeps,
  { siteId, serviceId, place }: { readonly siteId: string; readonly serviceId: string; readonly place: Place },
  frozen: boolean,
): Promise<ActionRequest> {
  const service = await refOf(deps, await readService(deps.store, serviceId));
  const value = dbSpec(await readParts(deps, siteId, place), true, frozen);
  return { $case: 'apply', value: { service, preview: false, spec: { $case: 'db', value } } };
}

export function createDbFreeze(deps: HandlerDeps): StepHandler<'db.freeze'> {
  return {
    kind: 'db.freeze',
    do: async (args, ctx) => {
      const { serverId } = await readService(deps.store, args.serviceId);
      await perform(deps, ctx, 'do', serverId, `site/${args.siteId}`, await applyFor(deps, args, true));
      return { is: 'done' };
    },
    undo: async (args, ctx) => {
      const { serverId } = await readService(deps.store, args.serviceId);
      await perform(deps, ctx, 'undo', serverId, `site/${args.siteId}`, await applyFor(deps, args, false));
      return { is: 'done' };
    },
  };
}

export function createDbGuard(deps: HandlerDeps): StepHandler<'db.guard'> {
  return {
    kind: 'db.guard',
    do: async ({ siteId, serviceId, place }, ctx) => {
      const { serverId } = await readService(deps.store, serviceId);
      const parts = await readParts(deps, siteId, place);
      const { id, facts } = await takeSnapshot(deps, ctx, serverId, 'database', {
        site: siteSpec(parts, parts.http.serverId),
        part: { $case: 'database', value: await databasePart(deps, siteId, place) },
      });
      return {
        is: 'done',
        result: { snapshot: id, digest: Buffer.from(facts.digest).toString('hex'), bytes: Number(facts.bytes) },
      };
    },
    undo: async (args, ctx) => {
      const { siteId, serviceId, place } = args;
      const { serverId } = await readService(deps.store, serviceId);
      const kept = ctx.result;
      // Without a result it never was whole, and nothing after it has touched the database.
      if (kept !== null) {
        // A new web server that does not answer may still be bringing it to its version.
        const alone = await applyFor(deps, args, false);
        await perform(deps, ctx, 'undo', serverId, `site/${siteId}`, alone, 'alone');
        const facts = { digest: Buffer.from(String(kept['digest']), 'hex'), bytes: BigInt(Number(kept['bytes'])) };
        const snapshot = { id: String(kept['snapshot']), serverId, facts };
        const request = async (): Promise<ActionRequest> => ({
          $case: 'restoreDatabase',
          value: {
            ...(await databasePart(deps, siteId, place)),
            source: await snapshotSource(deps, snapshot, serverId, 'database'),
            again: false,
          },
        });
        const facts2 = (output: { restore?: { complete: boolean; receivedBytes: bigint } }) =>
          told(output.restore, 'a restore');
        await performWhole(deps, ctx, 'undo', serverId, `site/${siteId}`, request, facts2, 'database.back');
      }
      await dropSnapshots(deps, ctx, 'undo', serverId, siteId, 'database', MOST_ATTEMPTS);
      return { is: 'done' };
    },
  };
}

/** The step that keeps it is another one of the same task: its snapshots are named after that. */
export function createDbUnguard(deps: HandlerDeps): StepHandler<'db.unguard'> {
  return {
    kind: 'db.unguard',
    do: async ({ siteId, serviceId, guard }, ctx) => {
      const { serverId } = await readService(deps.store, serviceId);
      for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
        const value = { snapshotId: snapshotId({ taskId: ctx.taskId, step: guard }, attempt, 'database'), keepFor: '' };
        await perform(deps, ctx, 'do', serverId, `site/${siteId}`, { $case: 'dropSnapshot', value }, `drop${attempt}`);
      }
      return { is: 'done' };
    },
    undo: { none: 'what was kept is not needed any more' },
  };
}
