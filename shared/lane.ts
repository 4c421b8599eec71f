// Where an action has its place on an agent: master and agent count alike, so that what takes hours keeps nothing else waiting.
import type { Action } from './gen/aegir/v1/agent.ts';

export type ActionKind = NonNullable<Action['request']>['$case'];

/** Each has as many places as the others, of its own. */
export const LANES = ['question', 'urgent', 'long', 'short'] as const;
export type Lane = (typeof LANES)[number];

/** What reads or writes all of a site, or of a store. */
const LONG: ReadonlySet<string> = new Set<ActionKind>([
  'receiveObject',
  'takeSnapshot',
  'restoreFiles',
  'restoreDatabase',
  'storeBackup',
  'checkBackup',
  'pruneStore',
  'exportBackup',
]);

export function isLong(kind: ActionKind): boolean {
  return LONG.has(kind);
}

/** urgent: visitors wait for it. */
export function laneOf(action: { readonly inTask: boolean; readonly urgent: boolean }, kind: ActionKind): Lane {
  if (!action.inTask) return 'question';
  return action.urgent ? 'urgent' : isLong(kind) ? 'long' : 'short';
}
