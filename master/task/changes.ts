// What changed in a site's database where it is, brought to the copy of it on another server, inside a step: as parts, round
// after round, until little is left.
import { byteSize } from '../../shared/byte-size.ts';
import type { DatabasePart, RestoreFacts, SnapshotFacts } from '../../shared/gen/aegir/v1/backup.ts';
import type { SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import { counted } from '../../shared/words.ts';
import type { StepContext } from './handler.ts';
import { dropSnapshot, dropSnapshots, MOST_ATTEMPTS, restoreSnapshot, takeSnapshot } from './part-copy.ts';
import type { HandlerDeps } from './parts.ts';

/** Another round is not worth it when the last one brought no more. */
const LITTLE_BYTES = 1024 * 1024;
/** Of one step: what comes faster than it is brought is brought when visitors wait. */
const MOST_ROUNDS = 3;

export interface Ends {
  readonly site: SiteSpec;
  readonly source: { readonly serverId: string; readonly part: DatabasePart };
  readonly target: { readonly serverId: string; readonly part: DatabasePart };
}

/** Positions: of the dump, and up to which changes were brought. Answers the latter. May be repeated. */
export async function bringChanges(
  deps: HandlerDeps,
  ctx: StepContext,
  { site, source, target }: Ends,
  dumped: string,
  since: string,
): Promise<string> {
  let position = since;
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    const label = labelOf(round);
    const snapshot = await takeSnapshot(deps, ctx, source.serverId, label, {
      site,
      part: { $case: 'changes', value: { ...source.part, position } },
    });
    const restore = await restoreSnapshot(
      ...[deps, ctx, snapshot, target.serverId, site.id, 'changes' as const],
      async (part) => ({ $case: 'applyChanges', value: { ...target.part, source: part, from: dumped } }),
      `${label}.apply`,
    );
    await dropSnapshot(deps, ctx, 'do', source.serverId, site.id, label, ctx.attempt);
    tell(ctx, snapshot.facts, restore);
    position = snapshot.facts.position;
    if (snapshot.facts.bytes <= LITTLE_BYTES) break;
  }
  return position;
}

/** For a step that did not end. No error when there are none. */
export async function dropChanges(
  deps: HandlerDeps,
  ctx: StepContext,
  direction: 'do' | 'undo',
  serverId: string,
  siteId: string,
): Promise<void> {
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    await dropSnapshots(deps, ctx, direction, serverId, siteId, labelOf(round), MOST_ATTEMPTS);
  }
}

function labelOf(round: number): string {
  return `changes${round}`;
}

function tell(ctx: StepContext, { entries, bytes }: SnapshotFacts, { written }: RestoreFacts): void {
  const text = `changes: ${counted(Number(entries), 'transaction')}, ${byteSize(Number(bytes))}, ${written} taken`;
  ctx.emit({ $case: 'log', value: { level: 'info', text } });
}
