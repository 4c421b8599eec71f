// snapshot.take and snapshot.drop: a part of a site kept as it is, for a backup to be made of it.
import { byteSize } from '../../../shared/byte-size.ts';
import type { SnapshotFacts } from '../../../shared/gen/aegir/v1/backup.ts';
import type { PartName } from '../../plan/backup-args.ts';
import type { JsonObject } from '../../store/model.ts';
import type { StepContext, StepHandler } from '../handler.ts';
import { type Snapshot, snapshotId, told } from '../part-copy.ts';
import { type HandlerDeps, readParts } from '../parts.ts';
import { perform } from '../perform.ts';
import { siteSpec } from '../spec.ts';
import { databasePart } from './copy.ts';

/** What a step says of the snapshot that it took. */
export interface Taken extends Snapshot {
  readonly facts: SnapshotFacts;
}

/** round: 1 for the first; another one is taken when what it was of has changed since. May be repeated. */
export async function take(
  deps: HandlerDeps,
  ctx: StepContext,
  { siteId, serverId, part, trees }: { siteId: string; serverId: string; part: PartName; trees: readonly string[] },
  round: number,
): Promise<Taken> {
  const parts = await readParts(deps, siteId);
  // A database is dumped where it lies; which of the web servers the site is told of makes no difference there.
  const web = part === 'files' ? serverId : (parts.servers[0]?.server.id ?? serverId);
  const id = snapshotId(ctx, round, part);
  const { output } = await perform(
    deps,
    ctx,
    'do',
    serverId,
    `site/${siteId}`,
    {
      $case: 'takeSnapshot',
      value: {
        snapshotId: id,
        site: siteSpec(parts, web),
        part:
          part === 'files'
            ? { $case: 'files', value: { trees: [...trees], last: true } }
            : { $case: 'database', value: await databasePart(deps, siteId, undefined) },
      },
    },
    round === 1 ? '' : `take${round}`,
  );
  return { id, serverId, facts: told(output.snapshot, 'a snapshot') };
}

/** take: index of the step that took it. No error when there is none. */
export async function drop(
  deps: HandlerDeps,
  ctx: StepContext,
  direction: 'do' | 'undo',
  { siteId, serverId, part }: { siteId: string; serverId: string; part: PartName },
  take: number,
  round: number,
): Promise<void> {
  const value = { snapshotId: snapshotId({ taskId: ctx.taskId, step: take }, round, part), keepFor: '' };
  const name = round === 1 ? '' : `drop${round}`;
  await perform(deps, ctx, direction, serverId, `site/${siteId}`, { $case: 'dropSnapshot', value }, name);
}

export function createSnapshotTake(deps: HandlerDeps): StepHandler<'snapshot.take'> {
  return {
    kind: 'snapshot.take',
    do: async (args, ctx) => {
      const taken = await take(deps, ctx, args, 1);
      const { bytes, readBytes } = taken.facts;
      const text = `${args.part}: ${byteSize(Number(bytes))}, of which ${byteSize(Number(readBytes))} had to be read`;
      ctx.emit({ $case: 'log', value: { level: 'info', text } });
      return { is: 'done', result: asResult(taken) };
    },
    undo: async (args, ctx) => {
      await drop(deps, ctx, 'undo', args, ctx.step, 1);
      return { is: 'done' };
    },
  };
}

export function createSnapshotDrop(deps: HandlerDeps): StepHandler<'snapshot.drop'> {
  return {
    kind: 'snapshot.drop',
    do: async (args, ctx) => {
      await drop(deps, ctx, 'do', args, args.take, 1);
      return { is: 'done' };
    },
    undo: { none: 'it is taken anew when it is needed' },
  };
}

function asResult({ id, facts }: Taken): JsonObject {
  return {
    ...{ snapshot: id, digest: Buffer.from(facts.digest).toString('hex'), bytes: Number(facts.bytes) },
    ...{ chunks: Number(facts.chunks), entries: Number(facts.entries), takenAt: facts.takenAt?.getTime() ?? null },
  };
}

export function fromResult(result: JsonObject, serverId: string): Taken {
  const takenAt = result['takenAt'];
  return {
    id: String(result['snapshot']),
    serverId,
    facts: {
      digest: Buffer.from(String(result['digest']), 'hex'),
      bytes: BigInt(Number(result['bytes'])),
      chunks: BigInt(Number(result['chunks'])),
      readBytes: 0n,
      position: '',
      entries: BigInt(Number(result['entries'])),
      takenAt: typeof takenAt === 'number' ? new Date(takenAt) : undefined,
    },
  };
}
