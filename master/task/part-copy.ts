// A part of a site from one server to another, inside a step: a snapshot where it is, its chunks pulled and put in place
// where it shall be, under grants, and the snapshot dropped again.
import { createHash } from 'node:crypto';
import { AegirError } from '../../shared/error.ts';
import type { ActionOutput } from '../../shared/gen/aegir/v1/agent.ts';
import type { PartSource, RestoreFacts, SnapshotFacts, TakeSnapshotRequest } from '../../shared/gen/aegir/v1/backup.ts';
import type { ActionRequest } from '../session/agents.ts';
import type { StepContext } from './handler.ts';
import { type HandlerDeps, readServer } from './parts.ts';
import { perform } from './perform.ts';

/** Kind of the objects that parts of sites travel as. */
export const PART_KIND = 'part';
/** A grant lasts an hour: so many of them are days. */
const MOST_GRANTS = 200;
/** Snapshots that a step can have left: one for each attempt; see LIMITS. */
export const MOST_ATTEMPTS = 6;

/** What a grant for a part is used for; see PartSource. */
export type PartName = 'files' | 'database' | 'changes';

/** The same for each repeat of an attempt: "snap-" and 16 letters and digits. label tells those of one step apart. */
export function snapshotId(ctx: Pick<StepContext, 'taskId' | 'step'>, attempt: number, label: string): string {
  const digest = createHash('sha256').update(`${ctx.taskId} ${ctx.step} ${attempt} ${label}`).digest('hex');
  return `snap-${digest.slice(0, 16)}`;
}

export interface Snapshot {
  readonly id: string;
  readonly serverId: string;
  readonly facts: Pick<SnapshotFacts, 'digest' | 'bytes'>;
}

/** A snapshot of this attempt; those of former ones, whose restores failed, are dropped. May be repeated. */
export async function takeSnapshot(
  deps: HandlerDeps,
  ctx: StepContext,
  serverId: string,
  label: string,
  request: Pick<TakeSnapshotRequest, 'site' | 'part'>,
): Promise<Snapshot & { readonly facts: SnapshotFacts }> {
  await dropSnapshots(deps, ctx, 'do', serverId, request.site?.id ?? '', label, ctx.attempt - 1);
  const id = snapshotId(ctx, ctx.attempt, label);
  const { output } = await perform(
    deps,
    ctx,
    'do',
    serverId,
    `site/${request.site?.id ?? ''}`,
    { $case: 'takeSnapshot', value: { ...request, snapshotId: id } },
    `${label}.take`,
  );
  return { id, serverId, facts: told(output.snapshot, 'a snapshot') };
}

/** Those of the attempts up to one. No error for those that are not there. */
export async function dropSnapshots(
  deps: HandlerDeps,
  ctx: StepContext,
  direction: 'do' | 'undo',
  serverId: string,
  siteId: string,
  label: string,
  upTo: number,
): Promise<void> {
  for (let attempt = Math.max(1, upTo - MOST_ATTEMPTS + 1); attempt <= upTo; attempt++) {
    await dropSnapshot(deps, ctx, direction, serverId, siteId, label, attempt);
  }
}

/** That of one attempt. No error when it is not there. keep: what was dumped may come back to that server. */
export async function dropSnapshot(
  deps: HandlerDeps,
  ctx: StepContext,
  direction: 'do' | 'undo',
  serverId: string,
  siteId: string,
  label: string,
  attempt: number,
  keep = false,
): Promise<void> {
  const value = { snapshotId: snapshotId(ctx, attempt, label), keepFor: keep ? siteId : '' };
  await perform(
    deps,
    ctx,
    direction,
    serverId,
    `site/${siteId}`,
    { $case: 'dropSnapshot', value },
    `${label}.drop${attempt}`,
  );
}

/** Leave for a server to fetch a snapshot. */
export async function snapshotSource(
  deps: HandlerDeps,
  snapshot: Snapshot,
  receiverId: string,
  part: PartName,
): Promise<PartSource> {
  if (deps.grant === undefined) {
    throw new AegirError(
      'failed_precondition',
      'cannot move anything between servers: this master has no mesh; set listen.mesh in its configuration',
    );
  }
  const grant = await deps.grant({
    ...{ senderId: snapshot.serverId, receiverId, kind: PART_KIND, name: `snapshot/${snapshot.id}` },
    ...{ digest: snapshot.facts.digest, maxBytes: Number(snapshot.facts.bytes) },
  });
  return { part, grant, senderName: (await readServer(deps.store, snapshot.serverId)).name };
}

/**
 * Asks until all is there: a grant that ends before is followed by another one. request makes the action under a fresh
 * grant, complete tells of its output whether more is to come.
 */
export async function performWhole(
  deps: HandlerDeps,
  ctx: StepContext,
  direction: 'do' | 'undo',
  serverId: string,
  resource: string,
  request: () => Promise<ActionRequest>,
  facts: (output: ActionOutput) => { readonly complete: boolean; readonly receivedBytes: bigint },
  part: string,
): Promise<ActionOutput> {
  for (let round = 1; round <= MOST_GRANTS; round++) {
    const { output } = await perform(deps, ctx, direction, serverId, resource, await request(), `${part}${round}`);
    const { complete, receivedBytes } = facts(output);
    if (complete) return output;
    if (receivedBytes === 0n) break;
  }
  throw new AegirError('deadline_exceeded', 'cannot move the site: nothing came before the grant ended', {
    retryable: true,
  });
}

/** name: of the action within its step; another one for each receiver of one snapshot. */
export async function restoreSnapshot(
  deps: HandlerDeps,
  ctx: StepContext,
  snapshot: Snapshot,
  receiverId: string,
  siteId: string,
  part: PartName,
  request: (source: PartSource) => Promise<ActionRequest>,
  name = `${part}.restore`,
): Promise<RestoreFacts> {
  const output = await performWhole(
    deps,
    ctx,
    'do',
    receiverId,
    `site/${siteId}`,
    async () => request(await snapshotSource(deps, snapshot, receiverId, part)),
    ({ restore }) => told(restore, 'a restore'),
    name,
  );
  return told(output.restore, 'a restore');
}

export function told<T>(facts: T | undefined, what: string): T {
  if (facts !== undefined) return facts;
  throw new AegirError(
    'internal',
    `cannot read how ${what} went: the agent did not say; update the agent, then try again`,
  );
}
